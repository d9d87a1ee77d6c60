import type { Database, Db } from './db/connect.ts'
import type { Env } from './env.ts'
import type { Logger } from './log.ts'
import type { Keys } from './secrets.ts'

/** What everything runs on. Tests bring their own. */
export type Platform = {
  db: Db
  database: Database
  env: Env
  keys: Keys
  log: Logger
}
