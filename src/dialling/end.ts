import { setTimeout as pause } from 'node:timers/promises'
import { toSid } from '../accounts/account.ts'
import type { RunningCall } from '../calls/call.ts'
import { endLegs } from '../calls/progress.ts'
import type { Returning } from '../calls/returning.ts'
import type { Platform } from '../platform.ts'
import { type Dial, tellingCause } from '../twiml/dial.ts'
import { joinedLeg, type LegOfDial, legsOfDial, noteDialOver } from './queries.ts'

type DialReport = Returning['outcome']

/** Sees to it that the ends of a Dial's legs are known before anybody is told of it: its action may look them up, and dial
 * again over the channels that they had. FreeSWITCH tells them a moment after it asks us what comes next, so they are
 * waited for, half a second at most; then what it has told of them with its question counts. */
export async function legsOver(
  { db }: Platform,
  call: RunningCall,
  dial: Dial,
  report: DialReport,
): Promise<void> {
  if (report.at === null) return
  const hadChannel = ({ channelUuid }: LegOfDial) =>
    report.causes.has(channelUuid) || channelUuid === report.joinedUuid
  let legs = await legsOfDial(db, call.id, report.at)
  // Nobody else tells of these.
  await endAll(db, legs, (leg) => (hadChannel(leg) ? null : causeWithoutChannel(dial, legs, leg, report)))
  for (let looks = 1; legs.some((leg) => !leg.over && hadChannel(leg)); looks++) {
    if (looks === mostLooks) return endAll(db, legs, ({ channelUuid }) => knownCause(channelUuid, report))
    await pause(millisecondsBetweenLooks)
    legs = await legsOfDial(db, call.id, report.at)
  }
}

const mostLooks = 10
const millisecondsBetweenLooks = 50

async function endAll(
  db: Platform['db'],
  legs: readonly LegOfDial[],
  causeOf: (leg: LegOfDial) => string | null,
): Promise<void> {
  const ends = legs.filter(({ over }) => !over).map((leg) => ({ id: leg.id, endsAs: causeOf(leg) }))
  const known = ends.filter(({ endsAs }) => endsAs !== null)
  if (known.length > 0) await db.transaction((tx) => endLegs(tx, known))
}

// A gateway that is down, or a leg whose turn did not come. A Dial that had no channel at all tells its cause itself.
function causeWithoutChannel(
  { sequential }: Dial,
  legs: readonly LegOfDial[],
  leg: LegOfDial,
  { disposition, causes, joinedUuid }: DialReport,
): string {
  const joined = legs.findIndex(({ channelUuid }) => channelUuid === joinedUuid)
  if (sequential && joined >= 0 && legs.indexOf(leg) > joined) return 'LOSE_RACE'
  const noneHadChannel = legs.every(({ channelUuid }) => !causes.has(channelUuid))
  return noneHadChannel && disposition ? disposition : 'NORMAL_TEMPORARY_FAILURE'
}

function knownCause(channelUuid: string, { causes }: DialReport): string | null {
  const cause = causes.get(channelUuid) ?? 'NONE'
  return cause === 'NONE' ? null : cause
}

/** How a Dial ended, for its action: as FreeSWITCH says, or as the leg of several says that tells most; and the leg that was
 * joined, or the only one. */
export async function dialOutcome(platform: Platform, call: RunningCall, dial: Dial, report: DialReport) {
  const disposition = report.disposition ?? ''
  if (disposition !== 'SUCCESS') return failedOutcome(platform, call, dial, report, disposition)
  const joined = await joinedLeg(platform.db, call.id, report.joinedUuid)
  await endRestOfLegs(platform, call, 'LOSE_RACE', joined && report.joinedUuid)
  if (joined === null) return { disposition }
  return { disposition, callSid: toSid('CA', joined.id), seconds: joined.seconds }
}

async function failedOutcome(
  platform: Platform,
  call: RunningCall,
  { targets, sequential }: Dial,
  { at, causes }: DialReport,
  disposition: string,
) {
  await endRestOfLegs(platform, call, disposition)
  const legs = at === null ? [] : await legsOfDial(platform.db, call.id, at)
  const told = legs.flatMap(({ channelUuid }) => causes.get(channelUuid) ?? [])
  const only = targets.length === 1 ? legs.at(-1) : undefined
  return {
    disposition: sequential ? disposition : tellingCause([disposition, ...told]),
    ...(only === undefined ? {} : { callSid: toSid('CA', only.id) }),
  }
}

/** Ends the legs of a Dial that is over, as far as they are still open a little later, when those that became a channel
 * have had time to tell their own end; at the latest they end with the call. */
export async function endRestOfLegs(
  { db, log }: Platform,
  call: Pick<RunningCall, 'id'>,
  cause: string,
  joinedUuid: string | null = null,
): Promise<void> {
  const rest = await noteDialOver(db, call.id, cause, joinedUuid)
  if (rest.length === 0) return
  setTimeout(() => {
    db.transaction((tx) => endLegs(tx, rest)).catch((error) =>
      log.error({ err: error, callId: call.id }, 'The legs of a Dial could not be ended'),
    )
  }, lateMilliseconds).unref()
}

const lateMilliseconds = 1500
