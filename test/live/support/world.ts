import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach } from 'vitest'
import { type Carrier, createCarrier } from './carrier.ts'
import { type FreeSwitch, productConf, startFreeSwitch } from './freeswitch.ts'
import { freeSipPort, freeTcpPort } from './ports.ts'
import { type Ear, openEar } from './rtp.ts'
import { type Server, startServer } from './server.ts'
import { type Script, type Sipp, startSipp } from './sipp.ts'
import { startWebhookServer, type WebhookServer } from './webhook.ts'

/** Everything that a call needs: the product, a switch, a carrier, a customer's web server. */
export type World = {
  folder: string
  server: Server
  freeswitch: FreeSwitch
  carrier: Carrier
  webhook: WebhookServer
  /** Starts SIPp; towards the switch unless told otherwise. */
  sipp(script: Script): Promise<Sipp>
  /** Opens a media port. */
  ear(address: string): Promise<Ear>
}

/** Gives the tests of a file a world of their own. What a failed test leaves behind is printed. `env` is what else the
 * switch is started with, `serverEnv` the product. */
export function useWorld(env: Record<string, string> = {}, serverEnv: Record<string, string> = {}): World {
  const world = {} as World
  const ends: (() => unknown)[] = []
  let failed = false
  beforeAll(async () => {
    world.folder = mkdtempSync(join(tmpdir(), 'freeswitch-trunks-live-'))
    Object.assign(world, await startWorld(world.folder, { env, serverEnv }, (end) => ends.unshift(end)))
  })
  beforeEach(({ onTestFailed }) => {
    onTestFailed(() => {
      failed = true
      report(world)
    })
  })
  afterAll(async () => {
    for (const end of ends) await end()
    if (!failed) rmSync(world.folder, { recursive: true, force: true })
  })
  return world
}

async function startWorld(
  folder: string,
  { env, serverEnv }: { env: Record<string, string>; serverEnv: Record<string, string> },
  atEnd: (end: () => unknown) => void,
): Promise<World> {
  const webhook = await startWebhookServer()
  atEnd(webhook.close)
  const eventSocket = { host: '127.0.0.1', port: await freeTcpPort(), password: 'ClueCon' }
  const server = await startServer(folder, { switches: [eventSocket], env: serverEnv })
  atEnd(() => server.stop())
  const freeswitch = await startFreeSwitch(folder, {
    name: 'switch',
    conf: productConf,
    profile: 'nat_gateway',
    sipPort: await freeSipPort('127.0.0.1'),
    eventSocketPort: eventSocket.port,
    env: { SWITCH_URL: server.switchUrl, SWITCH_PASSWORD: server.switchPassword, ...env },
  })
  // Its own end takes four seconds, and nothing of it is needed any more.
  atEnd(() => freeswitch.stop('SIGKILL'))
  return {
    folder,
    server,
    freeswitch,
    webhook,
    carrier: await createCarrier(server),
    sipp: async (script) => {
      const sipp = await startSipp(folder, { to: freeswitch.sip, ...script })
      atEnd(() => sipp.stop())
      return sipp
    },
    ear: async (address) => {
      const ear = await openEar(address)
      atEnd(ear.close)
      return ear
    },
  }
}

function report({ folder, freeswitch }: World) {
  console.error(`Everything that ran is in ${folder}.`)
  for (const name of readdirSync(folder).filter((file) => file.endsWith('.log'))) {
    console.error(`--- ${name}\n${tail(join(folder, name))}`)
  }
  if (freeswitch !== undefined)
    console.error(`--- complaints\n${freeswitch.complaints().slice(-20).join('\n')}`)
}

const tail = (file: string) => readFileSync(file, 'utf8').slice(-4000)
