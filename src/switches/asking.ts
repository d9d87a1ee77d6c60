import { and, desc, inArray, isNotNull } from 'drizzle-orm'
import type { Db } from '../db/connect.ts'
import { switches } from '../db/schema.ts'
import type { Platform } from '../platform.ts'
import { type SwitchOfRegion, switchesOf } from './hold.ts'

/** What a switch says of itself in a fetch. */
export type SwitchClaim = { switchName: string; switchAddresses: readonly string[] }

/** Who asks: a switch of ours, or one of those of a region when nothing tells which. */
export type Asking = { region: string; id: string | null }

/** The switch that asks, or null when it is none of ours: by the name that it told over its event socket, else by its
 * addresses. One that has not told its name yet may be behind any (its event socket is reached after its first fetch, and
 * through a NAT its own addresses are others than ours for it): then the only such switch, or one of the only region that
 * has any. A switch that has another name since it was restarted is known by it as soon as its event socket has told. */
export async function switchThatAsks(platform: Platform, claim: SwitchClaim): Promise<Asking | null> {
  const ours = switchesOf(platform.env.regions)
  const named = await namesOf(platform.db, ours)
  const byName = named.find(({ name }) => name === claim.switchName)
  const known = ours.find(({ id }) => id === byName?.id)
  if (known) return known
  const addressed = ours.filter(({ id }) => claim.switchAddresses.includes(id.replace(/:\d+$/, '')))
  const unnamed = ours.filter(({ id }) => !named.some((other) => other.id === id))
  return oneOf(addressed.length > 0 ? addressed : unnamed)
}

// The one that was seen last comes first: two may have had the same name.
const namesOf = (db: Db, ours: readonly SwitchOfRegion[]) =>
  db
    .select({ id: switches.id, name: switches.name })
    .from(switches)
    .where(
      and(
        inArray(
          switches.id,
          ours.map(({ id }) => id),
        ),
        isNotNull(switches.name),
      ),
    )
    .orderBy(desc(switches.seenAt))

function oneOf(candidates: readonly SwitchOfRegion[]): Asking | null {
  const [first] = candidates
  if (first === undefined) return null
  if (candidates.length === 1) return first
  return candidates.every(({ region }) => region === first.region) ? { region: first.region, id: null } : null
}
