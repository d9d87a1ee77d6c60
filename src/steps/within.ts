/** What a promise gives within so many milliseconds, or null. The promise goes on. */
export async function within<Value>(promise: Promise<Value>, milliseconds: number): Promise<Value | null> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<null>((resolve) => {
    timer = setTimeout(() => resolve(null), milliseconds)
  })
  return Promise.race([promise, late]).finally(() => clearTimeout(timer))
}
