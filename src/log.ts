import { type Logger, pino } from 'pino'

export type { Logger }

/** Structured log, one JSON object a line. Fields that could hold a secret are cut out whatever logs them. */
export function createLog(level: string): Logger {
  return pino({
    level,
    base: null,
    timestamp: pino.stdTimeFunctions.isoTime,
    redact: {
      paths: [
        'password',
        '*.password',
        'authToken',
        '*.authToken',
        'authorization',
        '*.authorization',
        'token',
        '*.token',
      ],
      censor: '[secret]',
    },
  })
}
