import { toSid } from '../accounts/account.ts'
import type { Recording } from '../calls/recording-queries.ts'
import type { Env } from '../env.ts'
import { apiVersion, rfc2822 } from '../webhooks/params.ts'
import { pathOf } from './path.ts'

/** A recording in Twilio's form (https://www.twilio.com/docs/voice/api/recording). */
export function recordingJson(recording: Recording, env: Pick<Env, 'PUBLIC_URL'>) {
  const sid = toSid('RE', recording.id)
  const path = pathOf(recording.accountId, 'Recordings', sid)
  return {
    sid,
    account_sid: toSid('AC', recording.accountId),
    call_sid: toSid('CA', recording.callId),
    conference_sid: null,
    status: recording.status,
    source: recording.source,
    channels: recording.channels,
    duration: recording.duration === null ? null : String(recording.duration),
    start_time: rfc2822(recording.startedAt),
    date_created: rfc2822(recording.createdAt),
    date_updated: rfc2822(recording.updatedAt),
    ...{ price: null, price_unit: null, error_code: null, encryption_details: null },
    api_version: apiVersion,
    media_url: `${env.PUBLIC_URL}${path}`,
    uri: `${path}.json`,
    subresource_uris: {},
  }
}
