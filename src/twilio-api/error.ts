import type { Context } from 'hono'
import type { ContentfulStatusCode } from 'hono/utils/http-status'

/** Why a request is refused, in Twilio's terms: one of its error codes, and a sentence. */
export type Problem = { code: number; status: ContentfulStatusCode; message: string }

/** A problem with what was asked: 400, unless said otherwise. */
export const problem = (code: number, message: string, status: ContentfulStatusCode = 400): Problem => ({
  code,
  status,
  message,
})

/** The body that Twilio's SDKs make an exception of. */
export const answerProblem = (c: Context, { code, status, message }: Problem): Response =>
  c.json({ code, message, more_info: `https://www.twilio.com/docs/errors/${code}`, status }, status)

/** That there is nothing at the path that was asked, or it is another account's. */
export const answerNotFound = (c: Context): Response =>
  answerProblem(c, problem(20404, `The requested resource ${c.req.path} was not found`, 404))

/** Twilio's errors that several resources give (https://www.twilio.com/docs/api/errors). */
export const unauthorized = problem(20003, 'Authenticate', 401)
export const inactive = problem(20005, 'The account is not active', 401)
export const methodNotAllowed = problem(20004, 'Method not allowed', 405)
