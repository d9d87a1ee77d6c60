import { randomBytes, randomUUID } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { PGlite } from '@electric-sql/pglite'
import postgres from 'postgres'
import { inject } from 'vitest'
import { type Database, embedded, type OnStatement, openPostgres } from '../../src/db/connect.ts'
import { type Env, readEnv } from '../../src/env.ts'
import { createLog } from '../../src/log.ts'
import { createMetrics } from '../../src/metrics.ts'
import type { Platform } from '../../src/platform.ts'
import { deriveKeys } from '../../src/secrets.ts'
import { databaseUrl } from './template.ts'

/** A platform on a fresh copy of the migrated template; close it with `platform.database.close()`. */
export async function createTestPlatform(
  variables: Record<string, string> = {},
  onStatement?: OnStatement,
): Promise<Platform> {
  const env = readEnv({
    WEBHOOK_ALLOW_PRIVATE: 'true',
    EVENT_SOCKET: 'off',
    LOG_LEVEL: process.env.LOG_LEVEL ?? 'silent',
    ENCRYPTION_KEY: randomBytes(32).toString('base64'),
    DATA_DIR: 'memory',
    ...variables,
  })
  if ('problem' in env) throw new Error(env.problem)
  const database = await openTestDatabase(onStatement)
  return platformOn(database, env)
}

/** Another server process on the same database, as far as one test process can play it. */
export function platformOn(database: Database, env: Env): Platform {
  if (!env.ENCRYPTION_KEY) throw new Error('A test platform needs an ENCRYPTION_KEY.')
  return {
    db: database.db,
    database,
    env,
    keys: deriveKeys(env.ENCRYPTION_KEY),
    log: createLog(env.LOG_LEVEL),
    metrics: createMetrics(),
  }
}

/** A fresh copy of the template: embedded, or at TEST_DATABASE_URL, where closing drops it. */
export async function openTestDatabase(onStatement?: OnStatement): Promise<Database> {
  const template = inject('template')
  const url = process.env.TEST_DATABASE_URL
  if (url === undefined) {
    return embedded(await PGlite.create({ loadDataDir: new Blob([readFileSync(template)]) }), onStatement)
  }
  const name = `freeswitch_trunks_${randomUUID().replaceAll('-', '')}`
  await administer(url, `CREATE DATABASE ${name} TEMPLATE ${template}`)
  const database = openPostgres(databaseUrl(url, name), 10, onStatement)
  return {
    ...database,
    close: async () => {
      await database.close()
      await administer(url, `DROP DATABASE IF EXISTS ${name} WITH (FORCE)`)
    },
  }
}

async function administer(url: string, statement: string) {
  const admin = postgres(url, { max: 1, onnotice: () => {} })
  await admin.unsafe(statement)
  await admin.end()
}
