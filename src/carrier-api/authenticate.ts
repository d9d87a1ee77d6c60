import type { MiddlewareHandler } from 'hono'
import type { Carrier } from '../accounts/account.ts'
import { carrierByToken } from '../accounts/tokens.ts'
import { readToken } from '../json-api/credentials.ts'
import { answerUnauthorized } from '../json-api/error.ts'
import type { ScopeEnv } from '../json-api/handlers.ts'
import type { Scope } from '../json-api/resource.ts'
import type { Platform } from '../platform.ts'

/** What a carrier's request runs on, and who asks. */
export type CarrierScope = Scope & { carrier: Carrier; apiTokenId: string }

/** Finds the carrier that a token belongs to: Bearer, or the password of Basic (specification, "Authentication"). */
export const authenticate =
  (platform: Platform): MiddlewareHandler<ScopeEnv<CarrierScope>> =>
  async (c, next) => {
    const token = readToken(c.req.header('authorization'))
    const bearer = token === null ? null : await carrierByToken(platform.db, token)
    if (bearer === null) return answerUnauthorized(token)
    c.set('scope', { platform, db: platform.db, ...bearer })
    await next()
  }
