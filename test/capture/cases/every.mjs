/** The cases of every setup. */
// @ts-nocheck: see the files

import './scopes.mjs'
import './functions.mjs'
import './names.mjs'
import './state.mjs'
import './imports.mjs'
import './values.mjs'
import './classes.mjs'
import './instances.mjs'
import './remotes.mjs'
import './stacks.mjs'
import './refusals.mjs'
