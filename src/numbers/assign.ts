import type { Db } from '../db/connect.ts'
import { changesOf } from '../db/rows.ts'
import { brokenConstraint } from '../db/violation.ts'
import { done, type Issue, issue, type Outcome, refused } from '../errors.ts'
import type { IncomingPhoneNumber, PhoneNumber } from './phone-number.ts'
import {
  assignmentsOf,
  hasAccount,
  insertIncomingPhoneNumber,
  phoneNumberOfCarrier,
  updateIncomingPhoneNumber,
} from './queries.ts'

/** What happens when a number is called, as carrier and account decide it. */
export type IncomingSettings = Pick<
  IncomingPhoneNumber,
  | 'voiceUrl'
  | 'voiceMethod'
  | 'voiceFallbackUrl'
  | 'voiceFallbackMethod'
  | 'statusCallbackUrl'
  | 'statusCallbackMethod'
  | 'sipDomain'
  | 'friendlyName'
>

/** Assigns a number of a carrier's inventory to one of its accounts. A number is one account's at a time. An end that is
 * null was found wrong before. */
export async function assignPhoneNumber(
  db: Db,
  carrierId: string,
  ends: { accountId: string | null; phoneNumberId: string | null },
  settings: Partial<IncomingSettings>,
  known: readonly Issue[],
): Promise<Outcome<IncomingPhoneNumber>> {
  const { accountId, phoneNumberId } = ends
  const phoneNumber = phoneNumberId === null ? null : await phoneNumberOfCarrier(db, carrierId, phoneNumberId)
  const hasEnd = accountId === null || (await hasAccount(db, carrierId, accountId))
  const issues = [
    ...known,
    ...(hasEnd ? [] : [unknownEnd('account')]),
    ...(phoneNumberId === null || phoneNumber !== null ? [] : [unknownEnd('phone_number')]),
    ...(phoneNumber === null ? [] : await findUnassignable(db, phoneNumber)),
  ]
  if (issues.length > 0 || phoneNumber === null || accountId === null) return refused('invalid', issues)
  try {
    return done(
      await db.transaction((tx) => insertIncomingPhoneNumber(tx, { id: accountId }, phoneNumber, settings)),
    )
  } catch (error) {
    // Another request assigned it in this moment.
    if (brokenConstraint(error) === 'incoming_phone_numbers_active_key') return refused('invalid', [taken])
    throw error
  }
}

/** Changes what happens when a number is called. A released number stays as it was. */
export async function changeAssignment(
  db: Db,
  incoming: IncomingPhoneNumber,
  settings: Partial<IncomingSettings>,
  known: readonly Issue[],
): Promise<Outcome<IncomingPhoneNumber>> {
  const issues = [...known, ...(incoming.status === 'released' ? [released] : [])]
  if (issues.length > 0) return refused('invalid', issues)
  const changes = changesOf(incoming, settings)
  return done(changes === null ? incoming : await updateIncomingPhoneNumber(db, incoming, changes))
}

/** Takes a number from its account. The row stays as history, and the number can be assigned again. */
export async function releasePhoneNumber(db: Db, incoming: IncomingPhoneNumber): Promise<Outcome<null>> {
  if (incoming.status === 'released') return refused('not found', [released])
  await updateIncomingPhoneNumber(db, incoming, { status: 'released', releasedAt: new Date() })
  return done(null)
}

async function findUnassignable(db: Db, phoneNumber: PhoneNumber): Promise<Issue[]> {
  const assignments = await assignmentsOf(db, phoneNumber)
  return [
    ...(phoneNumber.visibility === 'disabled' ? [disabled] : []),
    ...(assignments.some(({ status }) => status === 'active') ? [taken] : []),
  ]
}

const numberEnd = ['relationships', 'phone_number', 'data']
const taken = issue(
  numberEnd,
  'taken',
  'is already assigned',
  'The number is assigned to an account. Release its incoming phone number first.',
)
const disabled = issue(numberEnd, 'invalid', 'is disabled', 'The visibility of the number is disabled.')
const released = issue([], 'released', 'cannot be updated', 'The number has been released by its account.')

const unknownEnd = (name: string): Issue => ({
  ...issue(['relationships', name, 'data'], 'not_found', 'not found', `The ${name} does not exist.`),
  reason: 'not found',
})
