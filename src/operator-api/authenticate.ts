import type { MiddlewareHandler } from 'hono'
import { readToken } from '../json-api/credentials.ts'
import { answerUnauthorized } from '../json-api/error.ts'
import type { ScopeEnv } from '../json-api/handlers.ts'
import type { Scope } from '../json-api/resource.ts'
import type { Platform } from '../platform.ts'
import { equalSecrets } from '../secrets.ts'

/** Lets the operator pass, who is known by OPERATOR_TOKEN (contract section 4). */
export const authenticate =
  (platform: Platform, operatorToken: string): MiddlewareHandler<ScopeEnv<Scope>> =>
  async (c, next) => {
    const token = readToken(c.req.header('authorization'))
    if (token === null || !equalSecrets(token, operatorToken)) return answerUnauthorized(token)
    c.set('scope', { platform, db: platform.db })
    await next()
  }
