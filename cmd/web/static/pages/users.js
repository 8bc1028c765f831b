// The list of users: a search goes on until it has a page full.
import { start } from '../lib/searching.js'

start()
