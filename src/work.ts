import type { Platform } from './platform.ts'

/** Everything that a server process does without being asked; `stop` ends it within its own time bounds. */
export async function startWork(_platform: Platform): Promise<{ stop(): Promise<void> }> {
  return { stop: async () => {} }
}
