import type { PromptSource } from '../audio/prompt.ts'
import { type Action, answer, hangUp, stopOnKeys } from '../dialplan-action.ts'
import { type Dial, dial } from './dial.ts'
import { type Gather, gather } from './gather.ts'
import { type Hangup, hangup } from './hangup.ts'
import { type Pause, pause } from './pause.ts'
import { type Play, play } from './play.ts'
import { type Record, record } from './record.ts'
import { type Redirect, redirect } from './redirect.ts'
import { type Reject, reject } from './reject.ts'
import { type Facts, type Hold, leave, type Next, type Outcome, type Rules, waitHere } from './rules.ts'
import { type Say, say } from './say.ts'

export type { Facts, Next, Outcome, Recorded } from './rules.ts'

/** One verb of a document, read and checked. */
export type Verb = Dial | Gather | Hangup | Pause | Play | Record | Redirect | Reject | Say

/** Every verb by its name in a document: a verb that is missing here does not compile. */
export const table: { readonly [Name in Verb['verb']]: Rules<Extract<Verb, { verb: Name }>> } = {
  Dial: dial,
  Gather: gather,
  Hangup: hangup,
  Pause: pause,
  Play: play,
  Record: record,
  Redirect: redirect,
  Reject: reject,
  Say: say,
}

/** A run of verbs as FreeSWITCH executes them without asking again. */
export type Segment = {
  actions: Action[]
  /** All audio in it, in the order in which it is heard. */
  prompts: PromptSource[]
  /** Index of the verb after which we are asked again, or the call ends; null when the document ends first. */
  leavesAt: number | null
}

/** The verb at which the segment from `from` stops, null when the document ends first. What `Facts` is to say of that
 * verb can be settled before the segment is written. */
export function stopOf(verbs: readonly Verb[], from: number): { index: number; verb: Verb } | null {
  const run = verbs.slice(from, from + mostVerbs)
  const leaving = run.findIndex((verb) => table[verb.verb].leaves)
  const index = leaving === -1 && from + mostVerbs < verbs.length ? mostVerbs - 1 : leaving
  const verb = run[index]
  return verb === undefined ? null : { index: from + index, verb }
}

/** A verb of a segment that is heard, by its index, and what is heard of it. */
export type Sound = { index: number; prompts: readonly PromptSource[] }

/** What is heard in the segment from `from`, in order. */
export function soundsOf(verbs: readonly Verb[], from: number): Sound[] {
  const stop = stopOf(verbs, from)
  return verbs
    .slice(from, stop === null ? undefined : stop.index + 1)
    .map((verb, offset) => ({ index: from + offset, prompts: rulesOf(verb).prompts(verb) }))
    .filter(({ prompts }) => prompts.length > 0)
}

// FreeSWITCH parses all documents under one lock (freeswitch.md 10), so a long one is handed over in parts.
const mostVerbs = 50

/** Writes the verbs from `from` up to and with the one where the segment stops, or up to the one that is waited for. */
export function writeSegment(verbs: readonly Verb[], from: number, facts: Facts): Segment {
  const { hold } = facts
  const stop = hold === undefined ? stopOf(verbs, from) : null
  const run = verbs.slice(from, hold?.index ?? (stop === null ? undefined : stop.index + 1))
  const actions = [stopOnKeys('')]
  let answered = facts.answered
  run.forEach((verb, offset) => {
    const rules = rulesOf(verb)
    if (!answered && rules.answers(verb)) {
      actions.push(answer())
      answered = true
    }
    actions.push(...rules.write(verb, { ...facts, answered, index: from + offset }))
  })
  const end = hold === undefined ? ending(stop, { ...facts, answered }) : holding(hold, run, facts, answered)
  return {
    actions: [...actions, ...end],
    prompts: run.flatMap((verb) => rulesOf(verb).prompts(verb)),
    leavesAt: stop?.index ?? null,
  }
}

// A document that ends without a verb that leaves ends the call, after answering it, as Twilio does; a whisper's end
// lets the leg be joined.
function ending(stop: ReturnType<typeof stopOf>, facts: Facts): Action[] {
  if (stop !== null) return table[stop.verb.verb].leaves ? [] : leave({ ...facts, index: stop.index }, [])
  if (facts.role.kind === 'whisper') return []
  return facts.answered ? [hangUp()] : [answer(), hangUp()]
}

// Whatever is heard answers the call.
function holding(hold: Hold, run: readonly Verb[], facts: Facts, answered: boolean): Action[] {
  const heardBefore = run.some((verb) => rulesOf(verb).prompts(verb).length > 0)
  return [...(answered ? [] : [answer()]), ...waitHere(facts, hold, heardBefore)]
}

/** What comes after a verb, given what it did. */
export function after(verb: Verb, outcome: Outcome): Next {
  return rulesOf(verb).after(verb, outcome)
}

// The compiler does not see that a verb and the rules under its own name belong together.
function rulesOf<V extends Verb>(verb: V): Rules<V> {
  return table[verb.verb] as unknown as Rules<V>
}
