import type { Speaker } from './voice.ts'

/** What a caller is to hear: a text in somebody's voice, or an audio file of the customer. */
export type PromptSource = ({ kind: 'say'; text: string } & Speaker) | { kind: 'play'; url: string }
