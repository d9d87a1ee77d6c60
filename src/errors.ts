/** One thing that is wrong with what was asked. `path` leads to it from the thing itself, in the names the rooms use;
 * `title` never changes for a `code`, `detail` tells this case in one sentence. */
export type Issue = {
  readonly path: readonly (string | number)[]
  readonly code: string
  readonly title: string
  readonly detail: string
  /** Why this one is refused, where that differs from the rest. */
  readonly reason?: Reason
}

/** Why something was refused: it breaks rules, does not exist (or is another tenant's), contradicts what is there,
 * is not offered, or was changed since the asker last saw it. */
export type Reason = 'invalid' | 'not found' | 'conflict' | 'forbidden' | 'stale'

/** An expected refusal, which each door words for its wire. */
export type Refused = { readonly type: 'refused'; readonly reason: Reason; readonly issues: readonly Issue[] }

/** What a deed that may be refused gives back. */
export type Outcome<Value> = { readonly type: 'done'; readonly value: Value } | Refused

/** The outcome that holds a value. */
export const done = <Value>(value: Value): Outcome<Value> => ({ type: 'done', value })

/** The outcome that refuses, with all its issues at once. */
export const refused = (reason: Reason, issues: readonly Issue[]): Refused => ({
  type: 'refused',
  reason,
  issues,
})

/** An issue written in one line. */
export const issue = (path: Issue['path'], code: string, title: string, detail: string): Issue => ({
  path,
  code,
  title,
  detail,
})
