/** Takes bytes of an upload as they have come: they are valid during the call alone. */
export type TakePieces = (pieces: readonly Uint8Array[]) => void;

/** The messages of a call that uploads, for one reader. */
export interface UploadMessages<Message> {
  /**
   * The next message; null where there is none any more, whatever the reason.
   *
   * @param take gets the bytes of messages that carry nothing else, as they come: nearly all of what is uploaded passes without a message
   * made of it. What it throws, this rejects with. A source may also give such a message as one.
   */
  next(take: TakePieces): Promise<Message | null>;
}
