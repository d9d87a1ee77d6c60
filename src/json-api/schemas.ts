import * as v from 'valibot'
import { filled } from './attribute.ts'

/** A schema with its sentence for OpenAPI. */
export const described = <Schema extends v.GenericSchema>(schema: Schema, text: string) =>
  v.pipe(schema, v.description(text))

/** One line of text: something in it, no control characters. */
export const line = (most: number) =>
  v.pipe(
    v.string(),
    v.check((text) => text.trim() !== '', filled),
    v.maxLength(most),
    v.regex(/^\P{Cc}*$/u, 'must not have control characters'),
  )

/** `true` or `false`; null is the default again. */
export const flag = (preset: boolean) =>
  v.pipe(
    v.nullable(v.boolean()),
    v.transform((on) => on ?? preset),
  )

/** A list without repetitions; null is the empty one. */
export const set = <Item>(item: v.GenericSchema<string, Item>, most: number) =>
  v.pipe(
    v.nullable(v.pipe(v.array(item), v.maxLength(most))),
    v.transform((items) => [...new Set(items ?? [])]),
  )

/** A text that a rule of the product reads: what it gives, or the rule's sentence. */
export const readBy = <Value>(rule: (text: string) => { value: Value } | { problem: string }) =>
  v.pipe(
    v.string(),
    v.rawTransform(({ dataset: { value: text }, addIssue, NEVER }) => {
      const read = rule(text)
      if ('value' in read) return read.value
      addIssue({ message: read.problem, input: text })
      return NEVER
    }),
  )

/** When something happened, as answers tell it. */
export const time = v.pipe(v.string(), v.isoTimestamp())

/** Attributes that every resource answers. */
export const timestamps = {
  created_at: described(time, 'When it was created.'),
  updated_at: described(time, 'When it was last changed.'),
}
