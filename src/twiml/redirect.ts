import type { Webhook } from '../webhooks/webhook.ts'
import { textOf } from './document.ts'
import { checkAttributes, checkNoElements, method, refuse, url } from './reading.ts'
import { leave, type Rules } from './rules.ts'

/** `<Redirect>`: the rest is said by another document. */
export type Redirect = { verb: 'Redirect'; line: number; to: Webhook }

/** How `<Redirect>` is read and written, and what comes after it. */
export const redirect: Rules<Redirect> = {
  leaves: true,
  read(element, reading) {
    checkAttributes(reading, element, ['method'])
    checkNoElements(reading, element)
    const text = textOf(element)
    if (text === '') refuse(reading, element, '<Redirect> must contain a URL.')
    const read = text === '' ? null : url(reading, element, text, 'URL in <Redirect>')
    return {
      verb: 'Redirect',
      line: element.line,
      to: { url: read ?? '', method: method(reading, element) },
    }
  },
  // The document it leads to may be a Reject.
  answers: () => false,
  prompts: () => [],
  write: (_, place) => leave(place, []),
  after: ({ to }) => ({ next: 'request', ...to, params: {} }),
}
