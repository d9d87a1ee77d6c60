/** Repeats an expectation until it holds; after the time its failure is the test's. */
export async function eventually(expectation: () => unknown, withinMs = 15_000): Promise<void> {
  const deadline = Date.now() + withinMs
  for (;;) {
    try {
      return void (await expectation())
    } catch (error) {
      if (Date.now() > deadline) throw error
      await new Promise((resolve) => setTimeout(resolve, 10))
    }
  }
}
