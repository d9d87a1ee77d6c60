import { type Element, elementsOf, type Problem, readDocument } from './document.ts'
import { type Reading, refuse, warn } from './reading.ts'
import { table, type Verb } from './verb.ts'

/** A document that can be run, and what in it is not used as it stands; or why none of it runs. */
export type Twiml = { ok: true; verbs: Verb[]; warnings: Problem[] } | { ok: false; problem: Problem }

/** Reads and checks a whole document before any of it runs. `base` is the URL that answered with it: relative URLs are
 * made absolute; null for a document that came without one. */
export function readTwiml(text: string, base: string | null): Twiml {
  const document = readDocument(text)
  if ('problem' in document) return { ok: false, problem: document.problem }
  const reading: Reading = { base, problems: [], warnings: [] }
  const verbs = readVerbs(document.root, reading)
  const problem = reading.problems[0]
  return problem === undefined ? { ok: true, verbs, warnings: reading.warnings } : { ok: false, problem }
}

function readVerbs(root: Element, reading: Reading): Verb[] {
  if (root.name !== 'Response') refuse(reading, root, 'The root element must be <Response>.')
  if (root.content.some((node) => typeof node === 'string' && node.trim() !== ''))
    warn(reading, root, '<Response> contains text outside any verb; it is ignored.')
  return elementsOf(root.content).flatMap((element) => {
    if (isVerb(element.name)) return [table[element.name].read(element, reading)]
    refuse(reading, element, `<${element.name}> is not supported.`)
    return []
  })
}

function isVerb(name: string): name is Verb['verb'] {
  return Object.hasOwn(table, name)
}
