import type { Server } from 'node:http'
import { join } from 'node:path'
import { createAdaptorServer } from '@hono/node-server'
import { Hono } from 'hono'
import { createApp } from './app.ts'
import { type Database, makeFolder, type OnStatement, openEmbedded, openPostgres } from './db/connect.ts'
import { lockFolder } from './db/lock.ts'
import { createDemo } from './demo.ts'
import { type Env, readEnv } from './env.ts'
import { isKeyOf, keyIn } from './key-file.ts'
import { createLog } from './log.ts'
import { createMetrics } from './metrics.ts'
import type { Platform } from './platform.ts'
import { deriveKeys } from './secrets.ts'
import { startWork } from './work.ts'

async function start(env: Env) {
  const log = createLog(env.LOG_LEVEL)
  const [publicAddress, switchAddress] = addressesOf(env)
  await tryAddresses(publicAddress, switchAddress)
  const database = await open(
    env,
    env.LOG_LEVEL === 'trace' ? (sql) => log.trace({ sql }, 'Statement') : undefined,
  )
  // The embedded database and its key lie in one folder: whoever copies the one copies the other.
  const keys = deriveKeys(env.ENCRYPTION_KEY ?? (await keyIn(env.DATA_DIR)))
  await migrate(env, database)
  if (!(await isKeyOf(database.db, keys))) throw new Error(otherKey(env))
  const work = await startWork({ db: database.db, database, env, keys, log, metrics: createMetrics() })
  const { platform } = work
  const { publicApp, switchApp } = createApp(platform)
  const listeners = [await listen(publicApp, publicAddress), await listen(switchApp, switchAddress)]
  if (database.embedded) await greet(platform)
  log.info(
    { public: `http://${env.HOST}:${env.PORT}`, switch: `http://${env.SWITCH_HOST}:${env.SWITCH_PORT}` },
    'Ready',
  )
  stopOnSignal(async () => {
    await Promise.all(listeners.map(close))
    await work.stop()
    await database.close()
    log.info('Stopped')
  })
}

// Printed, not logged: this is the only time that these secrets are shown.
async function greet(platform: Platform) {
  const demo = await createDemo(platform)
  if (demo === null) return
  console.log(`The database was empty: it now has a carrier, an account, a number and a trunk to try things with.
  carrier API token   ${demo.carrierToken}
  account id          ${demo.accountId}
  account SID         ${demo.accountSid}
  account auth token  ${demo.authToken}
  number              ${demo.number}
  trunk               ${demo.trunkId}
They are shown this once.`)
}

async function open(env: Env, onStatement?: OnStatement): Promise<Database> {
  if (env.DATABASE_URL !== undefined) return openPostgres(env.DATABASE_URL, 10, onStatement)
  if (env.DATA_DIR === 'memory') return openEmbedded('memory', onStatement)
  await makeFolder(env.DATA_DIR).catch((error) => {
    throw new Error(`DATA_DIR is wrong: ${env.DATA_DIR} cannot be made (${error.code}).`)
  })
  const unlock = await lockFolder(env.DATA_DIR)
  if (unlock === null)
    throw new Error(`DATA_DIR is wrong: ${env.DATA_DIR} is another running server's (see its server.pid).`)
  const database = await openEmbedded(join(env.DATA_DIR, 'postgres'), onStatement)
  return { ...database, close: () => database.close().finally(unlock) }
}

async function migrate(env: Env, database: Database): Promise<void> {
  await database.migrate().catch((error) => {
    if (env.DATABASE_URL === undefined) throw error
    // The URL itself may hold a password.
    throw new Error(`DATABASE_URL is wrong, or its database cannot be used now: ${error.message}.`)
  })
}

const otherKey = (env: Env) =>
  `${env.ENCRYPTION_KEY === undefined ? `DATA_DIR is wrong: its encryption-key` : 'ENCRYPTION_KEY is wrong: it'} is not the key that this database was written with.`

// FreeSWITCH opens a connection for each fetch, so many may wait to be accepted at once.
const backlog = 1024

/** Where a listener listens, by the variables that say so: a refusal names the one that is wrong. */
type Address = { host: [variable: string, value: string]; port: [variable: string, value: number] }

const addressesOf = (env: Env): [forPublic: Address, forSwitches: Address] => [
  { host: ['HOST', env.HOST], port: ['PORT', env.PORT] },
  { host: ['SWITCH_HOST', env.SWITCH_HOST], port: ['SWITCH_PORT', env.SWITCH_PORT] },
]

// A process that could not listen in the end must not have told a switch or a customer anything: both addresses are
// taken for a moment, together, before all else.
async function tryAddresses(...addresses: Address[]) {
  const held: Server[] = []
  try {
    for (const address of addresses) held.push(await listen(new Hono(), address))
  } finally {
    await Promise.all(held.map(close))
  }
}

function listen(app: Hono, { host, port }: Address): Promise<Server> {
  const server = createAdaptorServer({ fetch: app.fetch }) as Server
  return new Promise((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => {
      const [variable, value] = aboutPort.includes(error.code ?? '') ? port : host
      const why = reasons[error.code ?? ''] ?? error.message
      reject(new Error(`${variable} is wrong: ${host[1]}:${port[1]} ${why}, and ${variable} is ${value}.`))
    })
    server.listen({ host: host[1], port: port[1], backlog }, () => resolve(server))
  })
}

const aboutPort = ['EADDRINUSE', 'EACCES']
const reasons: Record<string, string> = {
  EADDRINUSE: 'is in use by another program',
  EACCES: 'is not for this user to listen on',
  EADDRNOTAVAIL: 'is no address of this machine',
  ENOTFOUND: 'is no address of this machine',
}

const mostMillisecondsToStop = 4000

function stopOnSignal(stop: () => Promise<void>) {
  let stopping = false
  for (const signal of ['SIGTERM', 'SIGINT'] as const)
    process.on(signal, () => {
      if (stopping) return
      stopping = true
      setTimeout(() => process.exit(1), mostMillisecondsToStop).unref()
      stop().then(
        () => process.exit(0),
        () => process.exit(1),
      )
    })
}

// Requests in flight are answered; connections that only wait are closed.
function close(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve())
    server.closeIdleConnections()
    setTimeout(() => server.closeAllConnections(), 2500).unref()
  })
}

// Last, since it waits: what stands below it would not be there yet.
const env = readEnv(process.env)
if ('problem' in env) {
  console.error(env.problem)
  process.exit(1)
}
await start(env).catch((error: Error) => {
  console.error(`The server could not start: ${error.message}`)
  process.exit(1)
})
