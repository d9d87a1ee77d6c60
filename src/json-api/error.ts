import type { Issue, Reason, Refused } from '../errors.ts'
import { answer } from './document.ts'

/** One error object (JSON:API 1.1, "Error Objects"), its status still a number. */
export type ApiError = {
  status: 400 | 401 | 403 | 404 | 405 | 406 | 409 | 412 | 413 | 415 | 422 | 500 | 503
  code: string
  title: string
  detail: string
  source?: { pointer: string } | { parameter: string } | { header: string }
}

// As many as the longest list has items. A megabyte of wrong attributes is not answered with fifty.
const mostErrors = 1000

/** The one writer of error documents. Several statuses at once are answered with the most general one. */
export function answerErrors(errors: readonly ApiError[], headers: Record<string, string> = {}) {
  const statuses = new Set(errors.map(({ status }) => status))
  const [only] = statuses
  const written = errors.slice(0, mostErrors).map((error) => ({ ...error, status: String(error.status) }))
  return answer(statuses.size === 1 && only !== undefined ? only : 400, { errors: written }, headers)
}

/** Words a refusal; `pointerOf` tells where in the request document an issue's path leads. */
export const toErrors = (refusal: Refused, pointerOf: (path: Issue['path']) => string): ApiError[] =>
  refusal.issues.map(({ path, reason, code, title, detail }) => ({
    status: statusOf[reason ?? refusal.reason],
    code,
    title,
    detail,
    ...(path.length === 0 ? {} : { source: { pointer: pointerOf(path) } }),
  }))

const statusOf: Record<Reason, ApiError['status']> = {
  invalid: 422,
  'not found': 404,
  conflict: 409,
  forbidden: 403,
  stale: 412,
}

/** 404, the same for what does not exist and for what is another tenant's. */
export const notFound: ApiError = {
  status: 404,
  code: 'not_found',
  title: 'not found',
  detail: 'There is nothing here.',
}

/** 400 for a document that is none. */
export const malformed = (detail: string, pointer?: string): ApiError => ({
  status: 400,
  code: 'malformed',
  title: 'malformed document',
  detail,
  ...(pointer === undefined ? {} : { source: { pointer } }),
})

/** 400 for a query parameter. */
export const badParameter = (parameter: string, detail: string): ApiError => ({
  status: 400,
  code: 'invalid_parameter',
  title: 'invalid query parameter',
  detail,
  source: { parameter },
})

/** 401, with the challenge that RFC 6750 asks for; it tells a wrong token from none. */
export const answerUnauthorized = (token: string | null): Response =>
  answerErrors(
    [
      {
        status: 401,
        code: 'unauthorized',
        title: 'unauthorized',
        detail: 'Send a valid API token: Authorization: Bearer <token>, or as the password of Basic.',
      },
    ],
    { 'WWW-Authenticate': token === null ? 'Bearer' : 'Bearer error="invalid_token"' },
  )
