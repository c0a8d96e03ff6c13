// What other JavaScript runtimes have and this one has not, or has in a form that no job could use.

import { install as installConsole } from "./globals/console.js";
import { install as installPromise } from "./globals/promise.js";
import { install as installRandom } from "./globals/random.js";
import { install as installText } from "./globals/text.js";

installConsole();
installPromise();
installRandom();
installText();
