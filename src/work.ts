import { startCallWork } from './channels/work.ts'
import { startHousekeeping } from './housekeeping.ts'
import type { Platform } from './platform.ts'
import { letGoOfWebhooks } from './steps/ask.ts'
import { startSwitches } from './switches/switches.ts'
import { startCallbackDelivery } from './webhooks/status-callback.ts'

/** Starts everything that a server process does without being asked, and gives the platform with the switches that it
 * reaches; `stop` ends it all within its own time bounds. */
export async function startWork(base: Platform): Promise<{ platform: Platform; stop(): Promise<void> }> {
  const switches = await startSwitches(base)
  const platform = { ...base, switches }
  const stops = [
    await startCallWork(platform),
    await startCallbackDelivery(platform),
    startHousekeeping(platform),
    () => letGoOfWebhooks(platform),
    () => switches.stop(),
  ]
  return {
    platform,
    stop: async () => {
      await Promise.all(stops.map((stop) => stop()))
    },
  }
}
