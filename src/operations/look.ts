const patienceMs = 3000

/** What a look at something finds, if it finds it within three seconds; else it throws. */
export async function inTime<Value>(looking: Promise<Value>): Promise<Value> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error('No answer in time.')), patienceMs)
  })
  return Promise.race([looking, late]).finally(() => clearTimeout(timer))
}

/** One look for all who ask while it takes, however many they are. */
export function shared<Value>(look: () => Promise<Value>): () => Promise<Value> {
  let current: Promise<Value> | null = null
  return () => {
    if (current !== null) return current
    const looking = look().finally(() => {
      if (current === looking) current = null
    })
    current = looking
    return looking
  }
}
