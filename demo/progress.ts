/** How a training goes. */
export interface TrainingState {
  /** 0..1 of the whole. */
  readonly share: number;
  readonly step: number;
  readonly epoch: number;
  readonly loss: number;
  readonly learningRate: number;
  readonly imagesPerSecond: number;
  readonly secondsLeft: number;
}

/** Where a terminal writes to. */
export interface Terminal {
  readonly isTTY?: boolean | undefined;
  readonly columns?: number | undefined;
  write(text: string): unknown;
}

const BAR_WIDTH = 24;
/** Milliseconds between two pictures of the bar on a terminal. */
const REDRAW_MS = 100;
/** Elsewhere (a log, a pipe) there is a line for each of these shares. */
const LINE_SHARE = 0.05;

/** A bar that is drawn anew on a terminal, plain lines elsewhere. */
export class Progress {
  #drawn = Number.NEGATIVE_INFINITY;
  #nextShare = 0;
  #last: TrainingState | null = null;

  constructor(private readonly terminal: Terminal) {}

  show(state: TrainingState): void {
    this.#last = state;
    if (this.terminal.isTTY === true) {
      if (performance.now() - this.#drawn < REDRAW_MS) return;
      this.#drawn = performance.now();
      this.#redraw(state);
    } else if (state.share >= this.#nextShare) {
      this.#nextShare = (Math.floor(state.share / LINE_SHARE) + 1) * LINE_SHARE;
      this.terminal.write(`${describe(state)}\n`);
    }
  }

  /** Leaves the last picture standing. */
  end(): void {
    if (this.terminal.isTTY !== true || this.#last === null) return;
    this.#redraw(this.#last);
    this.terminal.write('\n');
  }

  #redraw(state: TrainingState): void {
    const full = Math.round(state.share * BAR_WIDTH);
    const line = `[${'='.repeat(full)}${' '.repeat(BAR_WIDTH - full)}] ${describe(state)}`;
    // Back to the first column, the line without a break, then nothing to its right.
    this.terminal.write(`\r${line.slice(0, (this.terminal.columns ?? 80) - 1)}\x1b[K`);
  }
}

function describe({ share, step, epoch, loss, learningRate, imagesPerSecond, secondsLeft }: TrainingState): string {
  return [
    `${String(Math.round(share * 100)).padStart(3)} %`,
    `${clock(secondsLeft)} left`,
    `${Math.round(imagesPerSecond)} images/s`,
    `loss ${loss.toFixed(3)}`,
    `epoch ${epoch.toFixed(2)}`,
    `step ${step}`,
    `learning rate ${learningRate.toPrecision(2)}`,
  ].join('  ');
}

function clock(seconds: number): string {
  const whole = Math.ceil(seconds);
  return `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, '0')}`;
}
