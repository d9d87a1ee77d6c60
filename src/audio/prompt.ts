import * as v from 'valibot'
import type { Platform } from '../platform.ts'
import { nameFor } from '../secrets.ts'
import type { Speaker } from './voice.ts'

/** What a caller is to hear: a text in somebody's voice, or an audio file of the customer. */
export type PromptSource = ({ kind: 'say'; text: string } & Speaker) | { kind: 'play'; url: string }

/** A source as it is stored, and back. */
export const PromptSourceSchema: v.GenericSchema<unknown, PromptSource> = v.variant('kind', [
  v.object({
    kind: v.literal('say'),
    text: v.string(),
    voice: v.picklist(['man', 'woman']),
    language: v.string(),
  }),
  v.object({ kind: v.literal('play'), url: v.string() }),
])

/** The unguessable name of a prompt's audio: 32 hex digits that the same source always gives. */
export const promptName = (keys: Platform['keys'], source: PromptSource): string =>
  nameFor(keys, 'prompt', JSON.stringify(Object.entries(source).sort()))

/** Our own URL of a prompt's audio, as FreeSWITCH reaches it. */
export const promptUrl = ({ env, keys }: Pick<Platform, 'env' | 'keys'>, source: PromptSource): string =>
  `${env.SWITCH_URL}/freeswitch/audio/${promptName(keys, source)}.wav`
