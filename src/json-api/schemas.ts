import * as v from 'valibot'
import { isObject, type Metadata, metadataProblem } from '../metadata.ts'
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
    v.check((text) => !/\p{Cc}/u.test(text), 'must not have control characters'),
  )

/** A value with a default; null is the default again. */
export const preset = <Schema extends v.GenericSchema>(schema: Schema, value: v.InferOutput<Schema>) =>
  v.pipe(
    v.nullable(schema),
    v.transform((given) => given ?? value),
  )

/** A list without repetitions; null is the empty one. */
export const set = <Item>(item: v.GenericSchema<string, Item>, most: number) =>
  v.pipe(
    v.nullable(v.pipe(v.array(item), v.maxLength(most))),
    v.transform((items) => [...new Set(items ?? [])]),
    v.metadata({ mostItems: most }),
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

/** An absolute http or https URL. */
export const webUrl = readBy((text) => {
  const isWeb = text.length <= 2048 && /^https?:\/\/[^\s\p{Cc}]+$/iu.test(text) && URL.canParse(text)
  return isWeb ? { value: text } : { problem: 'must be an http or https URL' }
})

/** A decimal of at most five places, as text (a JSON number is read as it is written), in the form it is stored in. */
export const decimal = (signed: boolean) =>
  v.pipe(
    v.union([v.string(), v.number()], 'must be a decimal'),
    v.transform(String),
    v.regex(
      signed ? /^-?\d{1,9}(\.\d{1,5})?$/ : /^\d{1,9}(\.\d{1,5})?$/,
      `must be a decimal${signed ? '' : ' of 0 or more'}, 9 digits before and 5 after the point at most`,
    ),
    v.transform((text) => {
      const [whole = '', places = ''] = text.split('.')
      return `${whole.replace(/^(-?)0+(?=\d)/, '$1')}.${places.padEnd(5, '0')}`
    }),
  )

/** A JSON object of the customer's own. */
export const metadata = v.pipe(
  v.custom<Metadata>((value) => isObject(value), 'must be an object'),
  v.rawCheck(({ dataset, addIssue }) => {
    const problem = dataset.typed ? metadataProblem(dataset.value) : null
    if (problem !== null) addIssue({ message: problem })
  }),
)

/** Attributes as objects of strings to anything: what is only answered. */
export const anyObject = v.record(v.string(), v.unknown())
