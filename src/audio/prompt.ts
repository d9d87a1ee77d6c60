import { type Keys, nameFor } from '../secrets.ts'
import type { Speaker } from './voice.ts'

/** What a caller is to hear: a text in somebody's voice, or an audio file of the customer. */
export type PromptSource = ({ kind: 'say'; text: string } & Speaker) | { kind: 'play'; url: string }

/** The unguessable name of a prompt's audio: 32 hex digits that the same source always gives. */
export const promptName = (keys: Keys, source: PromptSource): string =>
  nameFor(keys, 'prompt', JSON.stringify(Object.entries(source).sort()))
