/** What of a function is the same for all closures that one place in a program makes: a record that needs nothing else, as text. */

/** A binding of an `import` or a `require`: the receiver loads the same module, as if it stood in the same file. */
export interface Import {
  /** The name in the function's text. */
  readonly local: string
  readonly how: 'import' | 'require'
  readonly specifier: string
  /** URL of the file that says so. */
  readonly parent: string
  /** From the module's namespace, or its `exports`, down to the value. */
  readonly path: readonly string[]
  /** A compiler wrapped what `require` gave: an object with it as `default`. */
  readonly isWrapped?: boolean
  readonly attributes?: Readonly<Record<string, string>>
  /** It was a module as vite shows it: what CommonJS exports can be had by name. */
  readonly isInterop?: boolean
  /** Its module assigns it: the text reads it from a box, which shows what it is now. */
  readonly isLive?: boolean
}

/** What is done to a function when it is there, each with a value: own properties, and what it inherits from. */
export type Step =
  | { readonly at: 'own' | 'prototype'; readonly property: PropertyTemplate }
  /** Nothing can be added to it, nor taken away, nor changed. */
  | { readonly at: 'closed' | 'sealed' | 'frozen'; readonly what: 'own' | 'prototype' }
  /** The text has a member that was taken away. */
  | { readonly at: 'deleted'; readonly key: string }
  /** The function, or its prototype object, inherits from the value, or from the value's prototype object. */
  | { readonly at: 'parent' }
  | { readonly at: 'base' }

export interface FunctionTemplate {
  readonly kind: 'function'
  readonly name: string
  readonly text: string
  /** Methods (`value`) and accessors stand by themselves inside of an object only, under the name {@link MEMBER}. */
  readonly form: 'expression' | 'value' | 'get' | 'set'
  readonly isClass: boolean
  /** Where the text stood, from 0. */
  readonly url: string
  readonly line: number
  readonly column: number
  readonly isStrict: boolean
  /** Captured names, one value each. */
  readonly names: readonly string[]
  /** Those of them that the function assigns. */
  readonly assigned: readonly string[]
  /** Those of them that are constants, and that the function assigns all the same: that throws. */
  readonly constants: readonly string[]
  /** Names of the function itself around it. */
  readonly self: readonly string[]
  readonly imports: readonly Import[]
  /** `import.meta` was written as the name {@link META}. */
  readonly usesMeta: boolean
  /** The text has an `import()`. */
  readonly hasImport: boolean
  /** A class that extends another: the value behind those of the names is the other. */
  readonly extends: boolean
  /** Private static fields, one value each, behind that. */
  readonly privates: readonly string[]
  /** The values behind those. */
  readonly steps: readonly Step[]
}

/** What both ends have, and where it is found. */
export type ReferenceTemplate =
  | { readonly kind: 'global'; readonly path: readonly string[] }
  | { readonly kind: 'import'; readonly from: Import }
  | { readonly kind: 'symbol'; readonly how: 'shared' | 'local'; readonly text?: string }

export type Template =
  | FunctionTemplate
  | ReferenceTemplate
  /** Values: the function, its `this`, its first arguments. */
  | { readonly kind: 'bound' }
  /** Values: the function that takes a callback. */
  | { readonly kind: 'promisified' }
  /** `createRequire` of a file. */
  | { readonly kind: 'require'; readonly parent: string }
  /** `import()` of a file, by a name. */
  | { readonly kind: 'importer'; readonly parent: string }
  /** `import.meta` of a file, by a name. Values: what vite has in its `env` beside the environment, if that is used. */
  | { readonly kind: 'meta'; readonly parent: string }
  | ObjectTemplate
  /** A class that the receiver finds by its module. */
  | { readonly kind: 'class'; readonly key: string }
  | RemoteTemplate
  /** A handle of an actor's: the value is the ref of the actor. */
  | { readonly kind: 'actor'; readonly classId: number }
  /** A remote class. Values: what was given to `remote`, and its options. */
  | { readonly kind: 'remote-class' }
  /** A codec that was registered where nobody else can import it. Values: its class, the object with its functions. */
  | { readonly kind: 'codec'; readonly key: string }
  /** A function and what its options hold: the values. */
  | { readonly kind: 'task' }

export interface PropertyTemplate {
  /** Empty for a symbol, which is among the values. */
  readonly key: string
  readonly symbol: boolean
  readonly flags: number
  readonly get: boolean
  readonly set: boolean
}

/** Values: its prototype, if it has one of its own; for each key the symbol, if it is one, and its functions or its value. */
export interface ObjectTemplate {
  readonly kind: 'object'
  readonly prototype: 'plain' | 'none' | 'array' | 'own'
  readonly length: number
  readonly isExtensible: boolean
  readonly keys: readonly PropertyTemplate[]
}

/** A remote function. */
export interface RemoteTemplate {
  readonly kind: 'remote'
  readonly name: string
  /** What its calls are submitted with, as JSON. */
  readonly options: string
  readonly isAsync: boolean
  readonly isGenerator: boolean
  /**
   * `alone`: all of it is in `source`. `ref`: the value is the ref of the object that has the function. `self`: that object is the one that
   * this lies in. `inside`: the values are the function itself and its predicate for retries.
   */
  readonly how: 'alone' | 'ref' | 'self' | 'inside'
  readonly source: string
}

/** What a class extends, in its text: one unit long, as any name at least is. */
export const BASE = '\u01c1'

/** In the place of a member's key, which was evaluated once. */
export const MEMBER = 'm'

/** As long as `import.meta`, so that what follows stays in its column. */
export const META = 'import_meta'

export const FLAG = { writable: 1, enumerable: 2, configurable: 4 } as const

export const flagsOf = ({ writable, enumerable, configurable }: PropertyDescriptor): number =>
  (writable === true ? FLAG.writable : 0) | (enumerable === true ? FLAG.enumerable : 0) | (configurable === true ? FLAG.configurable : 0)
