import { type Keys, nameFor } from '../secrets.ts'
import type { Trunk } from './trunk.ts'

/** Where a trunk registers, and as whom. */
export type Contact = Pick<Trunk, 'id' | 'username' | 'outboundHost' | 'outboundProxy'>

/** The secret in the contact that a trunk's gateway gives its registrar: who calls us through the gateway must send it
 * back. Another registrar or user gets another one, so that a provider whom the trunk has left cannot call in its name; a
 * call that arrives by the old contact while the change is under way is refused with that. */
export const contactSecret = (keys: Keys, { id, username, outboundHost, outboundProxy }: Contact): string =>
  nameFor(keys, 'contact', JSON.stringify([id, outboundHost, outboundProxy, username]))
