#!/usr/bin/env nosuchinterpreter
