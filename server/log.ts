import { destination, type Logger, pino } from 'pino';
import type { LogLevel } from './config.js';

export type { Logger };

/**
 * One JSON object a line on stderr; stdout is kept for the line that says where the daemon listens. Written at once, so that no line
 * is lost when the process ends.
 */
export function createLogger(level: LogLevel): Logger {
  return pino({ level, base: null, timestamp: pino.stdTimeFunctions.isoTime }, destination({ fd: 2, sync: true }));
}
