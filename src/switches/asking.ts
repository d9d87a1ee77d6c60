import { desc, eq } from 'drizzle-orm'
import { switches } from '../db/schema.ts'
import type { Platform } from '../platform.ts'
import { type SwitchOfRegion, switchesOf } from './hold.ts'

/** What a switch says of itself in a fetch. */
export type SwitchClaim = { switchName: string; switchAddresses: readonly string[] }

/** Who asks: a switch of ours, or one of those of a region when nothing tells which. */
export type Asking = { region: string; id: string | null }

/** The switch that asks, or null when it is none of ours: by the name that it told over its event socket, else by its
 * addresses, else the only switch, or one of the only region that has any. */
export async function switchThatAsks(platform: Platform, claim: SwitchClaim): Promise<Asking | null> {
  const ours = switchesOf(platform.env.regions)
  const [named] = await platform.db
    .select({ id: switches.id })
    .from(switches)
    .where(eq(switches.name, claim.switchName))
    .orderBy(desc(switches.seenAt))
    .limit(1)
  const known = ours.find(({ id }) => id === named?.id)
  if (known) return known
  const addressed = ours.filter(({ id }) => claim.switchAddresses.includes(id.replace(/:\d+$/, '')))
  return oneOf(addressed.length > 0 ? addressed : ours)
}

function oneOf(candidates: readonly SwitchOfRegion[]): Asking | null {
  const [first] = candidates
  if (first === undefined) return null
  if (candidates.length === 1) return first
  return candidates.every(({ region }) => region === first.region) ? { region: first.region, id: null } : null
}
