import type { Hono } from 'hono'
import { toSid } from '../accounts/account.ts'
import { authTokenOf } from '../accounts/tokens.ts'
import type { Platform } from '../platform.ts'
import { rfc2822 } from '../webhooks/params.ts'
import type { TwilioEnv } from './authenticate.ts'
import { pathOf } from './path.ts'

/** The account itself (https://www.twilio.com/docs/iam/api/account). */
export function serveAccount(app: Hono<TwilioEnv>, { keys }: Platform): void {
  app.get('/Accounts/:account', (c) => {
    const account = c.get('account')
    const sid = toSid('AC', account.id)
    const path = pathOf(account.id)
    return c.json({
      sid,
      owner_account_sid: sid,
      friendly_name: account.name,
      status: 'active',
      type: 'Full',
      auth_token: authTokenOf(keys, account),
      date_created: rfc2822(account.createdAt),
      date_updated: rfc2822(account.updatedAt),
      uri: `${path}.json`,
      subresource_uris: {
        calls: `${path}/Calls.json`,
        incoming_phone_numbers: `${path}/IncomingPhoneNumbers.json`,
        recordings: `${path}/Recordings.json`,
      },
    })
  })
}
