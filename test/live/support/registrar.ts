import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { EventSocket } from '../../../src/event-socket/connection.ts'
import { type FreeSwitch, startFreeSwitch } from './freeswitch.ts'
import { until } from './programs.ts'

/** A PBX or ITSP that keeps contacts, and is asked for them faster than a new process could. */
export type Registrar = {
  freeswitch: FreeSwitch
  /** The contacts of each user that has any: `host:port` of where they lead. */
  contacts(): Promise<Map<string, string[]>>
  /** Kills it and forgets every contact, as a PBX that keeps them in memory. */
  die(): Promise<void>
  start(): Promise<void>
  stop(): Promise<void>
}

const plain = join(import.meta.dirname, '../pbx/freeswitch.xml')

/** Starts a registrar with these users and passwords. It keeps as many contacts of a user as are registered, so that a
 * double registration is seen. `realm` is what it challenges with. */
export async function startRegistrar(
  folder: string,
  name: string,
  users: Readonly<Record<string, string>>,
  realm = 'pbx',
): Promise<Registrar> {
  const conf = join(folder, `${name}-conf`)
  mkdirSync(conf, { recursive: true })
  writeFileSync(join(conf, 'freeswitch.xml'), withUsers(readFileSync(plain, 'utf8'), users, realm))
  const options = { name, conf, profile: 'pbx' }
  let freeswitch = await startFreeSwitch(folder, options)
  const { sip, eventSocket } = freeswitch
  let socket = await connectTo(eventSocket)
  const stop = async () => {
    await socket.close()
    await freeswitch.stop('SIGKILL')
  }
  return {
    get freeswitch() {
      return freeswitch
    },
    contacts: async () => {
      const reply = await socket.api('sofia xmlstatus profile pbx reg')
      if (reply.kind !== 'reply') throw new Error(reply.problem)
      return contactsIn(reply.text)
    },
    die: async () => {
      await stop()
      rmSync(join(folder, name, 'db'), { recursive: true })
    },
    start: async () => {
      const ports = { sipPort: Number(sip.split(':')[1]), eventSocketPort: eventSocket.port }
      freeswitch = await startFreeSwitch(folder, { ...options, ...ports })
      socket = await connectTo(eventSocket)
    },
    stop,
  }
}

function withUsers(conf: string, users: Readonly<Record<string, string>>, realm: string): string {
  const made = Object.entries(users).map(
    ([id, password]) =>
      `<user id="${id}"><params><param name="password" value="${password}"/></params></user>\n`,
  )
  const several = '<param name="multiple-registrations" value="contact"/>\n'
  return conf
    .replace('<user id="alice">', `${made.join('')}<user id="somebody-else">`)
    .replace('name="challenge-realm" value="pbx"', `name="challenge-realm" value="${realm}"`)
    .replace('<param name="manage-presence"', `${several}<param name="manage-presence"`)
}

async function connectTo(address: FreeSwitch['eventSocket']): Promise<EventSocket> {
  const socket = new EventSocket(address, { up: () => {}, down: () => {}, event: () => {} })
  socket.open()
  await until('the event socket is up', () => (socket.isUp ? true : undefined))
  return socket
}

function contactsIn(xml: string): Map<string, string[]> {
  const contacts = new Map<string, string[]>()
  for (const record of xml.split('<registration>').slice(1)) {
    const user = /<user>([^@<]*)@/.exec(record)?.[1] ?? ''
    const where = /<contact>.*?sip:[^@]*@([^;&]*)/.exec(record)?.[1] ?? ''
    contacts.set(user, [...(contacts.get(user) ?? []), where])
  }
  return contacts
}
