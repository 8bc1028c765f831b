#!/usr/bin/pyhton4
