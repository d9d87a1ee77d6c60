import { eq } from 'drizzle-orm'
import type { Account } from '../../src/accounts/account.ts'
import { startCallWork } from '../../src/channels/work.ts'
import { phoneCalls, statusCallbacks } from '../../src/db/schema.ts'
import { freeswitch } from '../../src/freeswitch/index.ts'
import { type CallOrder, orderCall } from '../../src/outbound/order.ts'
import type { Platform, Switches } from '../../src/platform.ts'
import type { TrunkSettings } from '../../src/trunks/trunk.ts'
import { eventually } from './eventually.ts'
import { attachCalls, type FakeCalls } from './fake-calls.ts'
import type { FakeFreeswitch } from './fake-freeswitch.ts'
import { type Fleet, startFleet } from './fleet.ts'
import { assignNumber, createTenant, createTrunk, type Tenant } from './rows.ts'

/** One fake switch, server processes that place calls on it, and a tenant who orders them. */
export type Placing = {
  fleet: Fleet
  platform: Platform
  fake: FakeFreeswitch
  calls: FakeCalls
  tenant: Tenant
  /** Whether any server process reaches the switch. */
  reached(): boolean
  /** Starts a server process; `alter` may stand between it and its switches or database. */
  startProcess(alter?: (platform: Platform & { switches: Switches }) => Platform): Promise<ServerProcess>
  trunk(settings: Partial<TrunkSettings>): ReturnType<typeof createTrunk>
  order(to: string, more?: Partial<CallOrder> & { account?: Account }): Promise<string>
  call(id: string): Promise<typeof phoneCalls.$inferSelect>
  /** Repeats until the call has ended. */
  ended(id: string): Promise<typeof phoneCalls.$inferSelect>
  /** What its customer is told, as `sequence status`, in order. */
  told(id: string): Promise<string[]>
  close(): Promise<void>
}

export type ServerProcess = { platform: Platform; stop(): Promise<void> }

const from = '19175559876'

/** Everything that is needed to place calls, and one server process unless `processes` says otherwise. */
export async function startPlacing(processes = 1): Promise<Placing> {
  const fleet = await startFleet({ hydrogen: ['s1'] }, 4000)
  const { platform } = fleet
  const fake = fleet.switches.s1
  if (fake === undefined) throw new Error('The fleet has a switch.')
  const calls = attachCalls(fake, freeswitch(platform))
  const tenant = await createTenant(platform)
  const number = await assignNumber(platform, tenant, from)
  const stops: (() => Promise<void>)[] = []
  const reaching: Switches[] = []
  const placing: Placing = {
    ...{ fleet, platform, fake, calls, tenant },
    startProcess: async (alter = (own) => own) => {
      const own = alter({ ...platform, switches: await fleet.startServer() })
      const stop = await startCallWork(own, { look: 50, sweep: 200, goneFor: 1000 })
      stops.push(stop)
      if (own.switches) reaching.push(own.switches)
      await eventually(() => expectReady(fake, own.switches), 20_000)
      return { platform: own, stop }
    },
    reached: () => reaching.some((switches) => switches.views().some(({ up }) => up)),
    trunk: (settings) => createTrunk(platform, tenant, settings),
    order: async (to, { account = tenant.account, ...more } = {}) => {
      const ordered = await orderCall(
        platform,
        account,
        {
          ...{ to, from: { id: number.id, number: `+${from}` }, callback },
          instructions: {
            first: { kind: 'document', text: '<Response><Hangup/></Response>' },
            order: { timeoutSeconds: 60, timeLimitSeconds: 14400 },
          },
          ...more,
        },
        null,
      )
      if (ordered.kind !== 'ordered') throw new Error(ordered.kind)
      return ordered.callId
    },
    call: async (id) => {
      const [call] = await platform.db.select().from(phoneCalls).where(eq(phoneCalls.id, id))
      if (call === undefined) throw new Error(`There is no call ${id}.`)
      return call
    },
    ended: async (id) => {
      await eventually(async () => {
        if ((await placing.call(id)).endedAt === null) throw new Error(`The call ${id} has not ended.`)
      }, 10_000)
      return placing.call(id)
    },
    told: async (id) => {
      const told = await platform.db
        .select({ params: statusCallbacks.params })
        .from(statusCallbacks)
        .where(eq(statusCallbacks.orderKey, id))
        .orderBy(statusCallbacks.seq)
      return told.map(({ params }) => `${params.SequenceNumber} ${params.CallStatus}`)
    },
    close: async () => {
      // One that plays dead does not stop either.
      for (const stop of stops) await Promise.race([stop(), new Promise((late) => setTimeout(late, 1000))])
      await fleet.close()
    },
  }
  for (let i = 0; i < processes; i++) await placing.startProcess()
  return placing
}

const callback = {
  url: 'https://app.example.com/status',
  method: 'POST' as const,
  events: ['initiated', 'ringing', 'answered', 'completed'] as const,
}

function expectReady(fake: FakeFreeswitch, switches: Switches | undefined) {
  const up = switches?.views().every((view) => view.up)
  if (!up || fake.listeners === 0) throw new Error('The switch is not watched.')
}
