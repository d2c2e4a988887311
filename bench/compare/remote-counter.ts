/** What each rival of actors offers: a counter somewhere else. */

export interface RemoteCounter {
  add(k: number): Promise<unknown>
  addLater(k: number): Promise<unknown>
  echo(value: unknown): Promise<unknown>
  close(): Promise<void>
}
