/** What of TypeScript is more than types: enums, parameter properties, namespaces. Only for setups that transform it. */
// @ts-nocheck: the project itself does without

import { feature, same, sameOrRefused } from '../case.mjs'

enum Level {
  Low = 1,
  High = Low * 5,
}

enum Name {
  First = 'first',
}

const enum Fixed {
  One = 1,
}

namespace Units {
  export const px = 'px'
  export const label = (n: number) => `${n}${px}`
}

class Holder {
  constructor(
    readonly level: Level,
    private name: Name = Name.First,
  ) {}
  show() {
    return [Level[this.level], this.name, Fixed.One, Units.label(2)]
  }
}

feature('TypeScript: enums, parameter properties, namespaces', () => same((level: Level) => new Holder(level).show(), Level.High))

const logged: string[] = []
const log = (_: unknown, { name }: { name: string | symbol }) => {
  logged.push(String(name))
}
const twice = (method: (x: number) => number) =>
  function (this: unknown, x: number) {
    return method.call(this, x) * 2
  }

class Decorated {
  @log
  plain(x: number) {
    return x
  }
  @twice
  double(x: number) {
    return x
  }
}

feature('TypeScript: decorators are right or refused', () => sameOrRefused((x: number) => [new Decorated().double(x), new Decorated().plain(x), logged], 4))
