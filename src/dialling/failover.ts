import type { RunningCall } from '../calls/call.ts'
import { isUnreached } from '../calls/failover.ts'
import type { Platform } from '../platform.ts'
import { chooseTrunks } from '../trunks/choose.ts'
import type { Dial } from '../twiml/dial.ts'
import { endRestOfLegs } from './end.ts'
import type { TriedTrunks } from './legs.ts'
import { type TriedLeg, triedLegs } from './queries.ts'

/** The trunks on which a Dial was tried in vain, when it is to be tried on others: its account has failover, none of its legs
 * has reached anybody, and another trunk leads to one of its numbers. Null: its end stands. The legs so far keep their own. */
export async function trunksTriedInVain(
  platform: Platform,
  call: RunningCall,
  { sequential }: Dial,
  at: string,
  disposition: string,
): Promise<TriedTrunks | null> {
  // In turn the later legs are the answer to the earlier ones already.
  if (sequential || !isUnreached({ cause: disposition, sipStatus: null })) return null
  const { legs, dedicatedTrunkId } = await triedLegs(platform.db, call.id, at)
  if (legs.length === 0 || !legs.every((leg) => failedUnheard(leg, disposition))) return null
  const tried = new Map<string, string[]>()
  for (const { to, sipTrunkId } of legs)
    if (sipTrunkId !== null) tried.set(to, [...(tried.get(to) ?? []), sipTrunkId])
  for (const [to, ids] of tried) {
    const { trunks } = await chooseTrunks(platform.db, { ...call, sipTrunkId: dedicatedTrunkId }, to)
    if (trunks.every(({ id }) => ids.includes(id))) continue
    await endRestOfLegs(platform, call, disposition)
    return tried
  }
  return null
}

// What a leg's own channel has not told yet, the Dial has.
const failedUnheard = ({ rang, cause, sipStatus }: TriedLeg, disposition: string): boolean =>
  !rang && isUnreached({ cause: cause ?? disposition, sipStatus })
