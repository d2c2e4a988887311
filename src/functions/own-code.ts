/** Where this package's own code stands: frames of it are nobody's who looks for the user's. */

/** Both, whichever of them runs: where Node reads source maps, frames of `dist` name files of `src`. */
export const OWN_FOLDERS: readonly URL[] = ['../../src/', '../../dist/'].map((folder) => new URL(folder, import.meta.url))
