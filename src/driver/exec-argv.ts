/** Which of this process's Node options a worker thread can have. */

/** Options that mean the main program, or that would hold a worker up. With a value of their own where the second column says so. */
const UNFIT: readonly (readonly [pattern: RegExp, takesValue: boolean])[] = [
  [/^(-e|--eval|-p|--print|-pe)$/, true],
  [/^(-i|--interactive|-c|--check)$/, false],
  [/^--input-type$/, true],
  [/^--input-type=/, false],
  [/^--(test|watch|inspect)($|[-=])/, false],
]

/** Undefined: all of them, untouched, which is what worker threads do by themselves. */
export const inheritableExecArgv = (argv: readonly string[]): readonly string[] | undefined => {
  const fit: string[] = []
  for (let k = 0; k < argv.length; k++) {
    const option = argv[k] as string
    const unfit = UNFIT.find(([pattern]) => pattern.test(option))
    if (unfit === undefined) fit.push(option)
    else if (unfit[1]) k += 1
  }
  return fit.length === argv.length ? undefined : fit
}
