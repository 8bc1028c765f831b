// Buttons that do something: <button data-post="/v1/handlers/save/pause" data-confirm="Pause save?" data-done="Paused">. data-body is the JSON that is sent,
// data-action the word on the button of the question, data-danger colours it, data-goto is where to go afterwards;
// {a.0.b} in it is a value of the answer.
import { post } from './api.js'
import { ask, toast } from './dialog.js'
import { refresh } from './regions.js'

export function start() {
  document.addEventListener('click', async event => {
    const button = event.target.closest?.('[data-post]')
    if (!button || button.disabled) return
    event.preventDefault()
    const { post: path, confirm, action, body, done, goto } = button.dataset
    if (confirm && !await ask({ title: confirm, action: action ?? button.textContent.trim(), danger: 'danger' in button.dataset })) return
    button.disabled = true
    try {
      const answer = await post(path, body ? JSON.parse(body) : undefined)
      if (done) toast(done)
      if (goto) location.href = goto.replace(/\{([^}]+)\}/g, (_, at) => encodeURIComponent(at.split('.').reduce((value, key) => value?.[key], answer) ?? ''))
      else await refresh()
    } catch (problem) {
      toast(problem.message, 'problem')
    } finally {
      button.disabled = false
    }
  })
}
