import { monitorEventLoopDelay } from 'node:perf_hooks'
import { sql } from 'drizzle-orm'
import { speechProblem } from '../audio/render.ts'
import type { Platform } from '../platform.ts'
import { type Backlog, type KnownSwitch, knownSwitches, queuedCalls, waitingCallbacks } from './counts.ts'
import { inTime, shared } from './look.ts'

/** What `/ready` tells. `degraded`: every API answers, but something that calls need is missing. */
export type Readiness = {
  status: 'ready' | 'degraded' | 'not ready'
  /** One sentence for each thing that is wrong. */
  problems: string[]
  checks: {
    database: { ok: boolean; latency_ms: number | null }
    switches: { region: string; name: string | null; ok: boolean; since_seconds: number }[]
    speech: { ok: boolean; problem: string | null }
    lag: {
      event_loop_ms: number
      queued_calls: number
      oldest_queued_call_seconds: number
      waiting_callbacks: number
      oldest_callback_seconds: number
    } | null
  }
}

const loopDelay = monitorEventLoopDelay({ resolution: 20 })
loopDelay.enable()

/** Looks at everything that this process needs, each within three seconds. It names no address, and looks once for all
 * who ask together: anybody may ask. */
export function readinessOf(platform: Platform): () => Promise<Readiness> {
  const tables = shared(() => inTime(readTables(platform)))
  return async () => {
    const [speech, found] = await Promise.all([speechNow(platform), tables().catch(() => null)])
    return report(platform, speech, found)
  }
}

const speechNow = ({ env }: Platform): Promise<string | null> =>
  inTime(speechProblem(env)).catch(() => 'The speech program does not answer.')

type Tables = Awaited<ReturnType<typeof readTables>>

function report(platform: Platform, speech: string | null, tables: Tables | null): Readiness {
  const switches = tables?.switches ?? []
  const problems = [
    ...(tables === null ? ['The database does not answer.'] : []),
    ...switchProblems(platform, switches),
    ...(speech === null ? [] : [`Nothing can be said in calls: ${speech}`]),
  ]
  const status = tables === null ? 'not ready' : problems.length > 0 ? 'degraded' : 'ready'
  return {
    status,
    problems,
    checks: {
      database: { ok: tables !== null, latency_ms: tables?.latencyMs ?? null },
      switches: switches.map(({ region, name, watched, sinceSeconds }) => ({
        region,
        name,
        ok: watched,
        since_seconds: Math.round(sinceSeconds),
      })),
      speech: { ok: speech === null, problem: speech },
      lag: tables === null ? null : lagOf(tables.calls, tables.callbacks),
    },
  }
}

async function readTables({ db, env }: Platform) {
  const asked = performance.now()
  await db.execute(sql`SELECT 1`)
  const latencyMs = Math.round((performance.now() - asked) * 10) / 10
  const [switches, calls, callbacks] = [
    await knownSwitches(db, env.regions),
    await queuedCalls(db),
    await waitingCallbacks(db),
  ]
  return { latencyMs, switches, calls, callbacks }
}

function switchProblems({ env }: Platform, switches: readonly KnownSwitch[]): string[] {
  if (!env.EVENT_SOCKET) return ['EVENT_SOCKET is off: no switch is told anything.']
  return switches
    .filter(({ watched }) => !watched)
    .map(
      ({ region, name }) =>
        `The switch ${name ?? 'that has never been reached'} of region ${region} is not reached.`,
    )
}

function lagOf(calls: Backlog, callbacks: Backlog) {
  const milliseconds = Math.round(loopDelay.percentile(99) / 1e4) / 100
  loopDelay.reset()
  return {
    event_loop_ms: milliseconds,
    queued_calls: calls.waiting,
    oldest_queued_call_seconds: Math.round(calls.oldestSeconds),
    waiting_callbacks: callbacks.waiting,
    oldest_callback_seconds: Math.round(callbacks.oldestSeconds),
  }
}
