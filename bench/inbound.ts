import { randomBytes, randomUUID } from 'node:crypto'
import { sql } from 'drizzle-orm'
import postgres from 'postgres'
import { createApp } from '../src/app.ts'
import { type Database, openEmbedded, openPostgres } from '../src/db/connect.ts'
import { readEnv } from '../src/env.ts'
import { createLog } from '../src/log.ts'
import { createMetrics } from '../src/metrics.ts'
import { deriveKeys, encrypt } from '../src/secrets.ts'
import { measure, row } from './measure.ts'

type Sizes = { name: string; trunks: number; numbers: number }

/** What an inbound fetch costs beside few and beside very many trunks, networks and numbers. */
export async function benchInbound(url: string | undefined): Promise<void> {
  const many = url === undefined ? 10_000 : 100_000
  const sizes: Sizes[] = [
    { name: '10^3 trunks and networks, 10^3 numbers', trunks: 1000, numbers: 1000 },
    { name: `${many} trunks and networks, ${many * 10} numbers`, trunks: many, numbers: many * 10 },
  ]
  row('Inbound dialplan fetch, through the door', 'p50 ms', 'p99 ms', 'statements', 'ratio')
  let base = 0
  for (const size of sizes) {
    let statements = 0
    const opened = await open(url, () => statements++)
    const { app, close } = await fill(opened, size)
    statements = 0
    const rounds = 600
    const { p50, p99 } = await measure(rounds, (round) => ask(app, size, round))
    base ||= p50
    row(`  routed to a sip_domain, ${size.name}`, p50, p99, statements / (rounds + 50), p50 / base)
    await close()
  }
  console.log()
}

async function open(url: string | undefined, onStatement: () => void) {
  if (url === undefined) return { database: await openEmbedded('memory', onStatement), drop: async () => {} }
  const name = `bench_${randomUUID().replaceAll('-', '')}`
  const admin = postgres(url, { max: 1, onnotice: () => {} })
  await admin.unsafe(`CREATE DATABASE ${name}`)
  const own = new URL(url)
  own.pathname = `/${name}`
  const drop = async () => {
    await admin.unsafe(`DROP DATABASE ${name} WITH (FORCE)`)
    await admin.end()
  }
  return { database: openPostgres(own.href, 4, onStatement), drop }
}

async function fill(
  { database, drop }: { database: Database; drop: () => Promise<void> },
  { trunks, numbers }: Sizes,
) {
  await database.migrate()
  const key = randomBytes(32)
  const env = readEnv({
    DATA_DIR: 'memory',
    EVENT_SOCKET: 'off',
    LOG_LEVEL: 'silent',
    ENCRYPTION_KEY: key.toString('base64'),
  })
  if ('problem' in env) throw new Error(env.problem)
  const keys = deriveKeys(key)
  const token = Buffer.from(encrypt(keys, 'accounts:x', 'x')).toString('hex')
  const carriers = Math.max(1, trunks / 100)
  const { db } = database
  await db.execute(
    sql`INSERT INTO carriers (name, country_code, billing_currency) SELECT 'c', 'US', 'USD' FROM generate_series(1, ${carriers}::integer)`,
  )
  await db.execute(
    sql`INSERT INTO accounts (carrier_id, name, auth_token_encrypted) SELECT id, 'a', decode(${token}, 'hex') FROM carriers`,
  )
  await db.execute(sql`INSERT INTO sip_trunks (carrier_id, name, authentication_mode, region, inbound_country)
    SELECT c.id, 't', 'ip_address', 'hydrogen', 'US' FROM generate_series(0, ${trunks}::integer - 1) i JOIN carriers c ON c.seq = 1 + i % ${carriers}::integer ORDER BY i`)
  await db.execute(
    sql`INSERT INTO sip_trunk_source_ips (trunk_id, position, network) SELECT id, 0, '10.0.0.0'::inet + (seq - 1) FROM sip_trunks`,
  )
  await db.execute(sql`INSERT INTO phone_numbers (carrier_id, number, type, country)
    SELECT c.id, (12012000000 + i)::text, 'local', 'US' FROM generate_series(0, ${numbers}::integer - 1) i JOIN carriers c ON c.seq = 1 + i % ${carriers}::integer`)
  await db.execute(sql`INSERT INTO incoming_phone_numbers (carrier_id, account_id, phone_number_id, number, sip_domain)
    SELECT n.carrier_id, a.id, n.id, n.number, 'pbx.example.com' FROM phone_numbers n JOIN accounts a ON a.carrier_id = n.carrier_id`)
  await db.execute(sql`ANALYZE`)
  const platform = { db, database, env, keys, log: createLog('silent'), metrics: createMetrics() }
  return {
    app: createApp(platform).switchApp,
    close: async () => {
      await database.close()
      await drop()
    },
  }
}

async function ask(
  app: ReturnType<typeof createApp>['switchApp'],
  { trunks, numbers }: Sizes,
  round: number,
) {
  const trunk = (round * 7919) % trunks
  const ip = `10.${(trunk >> 16) & 255}.${(trunk >> 8) & 255}.${trunk & 255}`
  // A number of the trunk's own carrier: both are dealt out to the carriers in turn.
  const carriers = Math.max(1, trunks / 100)
  const number = 2_012_000_000 + ((trunk % carriers) + carriers * (round % Math.floor(numbers / carriers)))
  const body = `section=dialplan&Hunt-Context=inbound&Unique-ID=${randomUUID()}&Hunt-Destination-Number=${number}&Hunt-Caller-ID-Number=6703&variable_sip_network_ip=${ip}`
  const response = await app.request('/freeswitch/xml', {
    method: 'POST',
    body,
    headers: { 'Content-Type': 'application/x-www-form-urlencoded' },
  })
  const document = await response.text()
  if (!document.includes(`sip:1${number}@pbx.example.com`))
    throw new Error(`A wrong answer voids the run:\n${document}`)
}
