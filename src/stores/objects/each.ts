/** Runs `task` for every item, at most `width` of them at a time. After a failure no other one is begun. */
export async function each<T>(items: Iterable<T>, width: number, task: (item: T) => Promise<void>): Promise<void> {
  // One iterator for all: each worker takes the next item that nobody has taken.
  const left = items[Symbol.iterator]();
  let isFailed = false;
  const work = async (): Promise<void> => {
    for (let next = left.next(); !isFailed && !next.done; next = left.next()) {
      try {
        await task(next.value);
      } catch (error) {
        isFailed = true;
        throw error;
      }
    }
  };
  await Promise.all(Array.from({ length: width }, work));
}
