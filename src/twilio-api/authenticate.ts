import type { Context, MiddlewareHandler } from 'hono'
import { type Account, fromSid } from '../accounts/account.ts'
import { accountById } from '../accounts/queries.ts'
import { readableAuthTokenOf } from '../accounts/tokens.ts'
import type { Platform } from '../platform.ts'
import { equalSecrets } from '../secrets.ts'
import { answerProblem, inactive, unauthorized } from './error.ts'

/** What a handler finds in its context. */
export type TwilioEnv = { Variables: { account: Account } }

/** Finds the account that asks: Basic, its SID (or UUID) and auth token; the path must name the same account. */
export const authenticate =
  (platform: Platform): MiddlewareHandler<TwilioEnv> =>
  async (c, next) => {
    const account = await accountThatAsks(platform, c.req.header('authorization'))
    const named = fromSid('AC', (c.req.param('account') ?? '').replace(/\.json$/, ''))
    if (account === null || account.id !== named) return challenge(c)
    if (account.status !== 'enabled') return answerProblem(c, inactive)
    c.set('account', account)
    await next()
  }

async function accountThatAsks({ db, keys }: Platform, header: string | undefined): Promise<Account | null> {
  const [, encoded = ''] = /^Basic\s+(\S+)\s*$/i.exec(header ?? '') ?? []
  const [, sid = '', token = ''] =
    /^([^:]*):(.*)$/.exec(Buffer.from(encoded, 'base64').toString('utf8')) ?? []
  const id = fromSid('AC', sid)
  const account = id === null ? null : await accountById(db, id)
  const authToken = account === null ? null : readableAuthTokenOf(keys, account)
  return authToken !== null && equalSecrets(token, authToken) ? account : null
}

function challenge(c: Context): Response {
  c.header('WWW-Authenticate', 'Basic realm="Twilio API"')
  return answerProblem(c, unauthorized)
}
