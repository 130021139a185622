/**
 * glibc returns big blocks to the system when they are freed and zeroes new pages at the next step; told to keep them, PyTorch is
 * often quicker. Our engine has one arena for a plan's life and needs no such setting.
 */
export const ALLOCATORS = {
  'glibc as it is': {},
  'glibc keeping freed memory': {
    MALLOC_MMAP_THRESHOLD_: String(8 * 2 ** 30),
    MALLOC_TRIM_THRESHOLD_: String(64 * 2 ** 30),
    MALLOC_TOP_PAD_: String(64 * 2 ** 20),
  },
} as const satisfies Record<string, NodeJS.ProcessEnv>;

export type Allocator = keyof typeof ALLOCATORS;
