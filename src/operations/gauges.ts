import { Gauge, Registry } from 'prom-client'
import type { Platform } from '../platform.ts'
import {
  type Backlog,
  clientContacts,
  gateways,
  knownSwitches,
  liveCalls,
  queuedCalls,
  waitingCallbacks,
} from './counts.ts'
import { inTime, shared } from './look.ts'

/** The gauges of what the tables hold, the same whichever process is asked; the function that it gives prints them as
 * they are now. A database that does not answer leaves them as they were and shows in `trunks_database_up`. */
export function gaugesFor({ db, env, log }: Platform): () => Promise<string> {
  const registry = new Registry()
  const registers = [registry]
  const gauge = (name: string, help: string, labelNames: string[] = []) =>
    new Gauge({ name: `trunks_${name}`, help, labelNames, registers })
  const database = gauge('database_up', 'Whether the database answered this scrape.')
  const calls = gauge('calls', 'Calls that are not over, by status.', ['status'])
  const states = gauge('gateways', 'Gateways, by the state of their registration.', ['state'])
  const contacts = gauge('client_contacts', 'Contacts that clients have registered.')
  const switches = gauge('switch_up', 'Whether a server process watches the switch.', ['region', 'switch'])
  const queue = backlogGauges(gauge, 'queued_calls', 'calls of the API that wait to be placed')
  const callbacks = backlogGauges(gauge, 'waiting_callbacks', 'status callbacks that wait to be delivered')

  return shared(async () => {
    try {
      const found = await inTime(readTables({ db, env }))
      set(calls, 'status', found.calls, ['queued', 'initiated', 'ringing', 'in-progress'])
      set(states, 'state', found.gateways, gatewayStates)
      contacts.set(found.contacts)
      switches.reset()
      for (const { id, region, name, watched } of found.switches)
        switches.set({ region, switch: name ?? id }, watched ? 1 : 0)
      queue(found.queue)
      callbacks(found.callbacks)
      database.set(1)
    } catch (err) {
      log.error({ err }, 'The tables could not be counted')
      database.set(0)
    }
    return registry.metrics()
  })
}

const gatewayStates = [
  'starting',
  'registering',
  'registered',
  'failed',
  'unregistering',
  'unknown',
  'no_switch',
]

const readTables = async ({ db, env }: Pick<Platform, 'db' | 'env'>) => ({
  calls: await liveCalls(db),
  gateways: await gateways(db),
  contacts: await clientContacts(db),
  switches: await knownSwitches(db, env.regions),
  queue: await queuedCalls(db),
  callbacks: await waitingCallbacks(db),
})

function backlogGauges(make: (name: string, help: string) => Gauge, name: string, what: string) {
  const waiting = make(name, `Number of ${what}.`)
  const oldest = make(
    `oldest_${name.replace(/s$/, '')}_seconds`,
    `For how long the oldest of the ${what} has been due.`,
  )
  return (backlog: Backlog) => {
    waiting.set(backlog.waiting)
    oldest.set(backlog.oldestSeconds)
  }
}

// Kinds of which there are none are told as well: a gauge that is missing cannot be alerted on.
function set(
  gauge: Gauge,
  label: string,
  counts: readonly { kind: string; count: number }[],
  kinds: readonly string[],
) {
  for (const kind of kinds)
    gauge.set({ [label]: kind }, counts.find((found) => found.kind === kind)?.count ?? 0)
}
