"""Four plots about people: a thing lost and found, a loan, a present, a visit."""

from labcore.text.plots import Line, Plot

# The thing, its colour and its measure word come back when it is found.
LOST: Plot = (
    (
        Line(
            "One {time} , {hero} (2:went|walked) {place.to} with {look.a} {look} {colour} {thing} .",
            "{time} ， {hero} (2:带着|拿着) 一 {thing.mw} {look} {colour} {thing} (去 了|来到) {place} 。",
        ),
        Line(
            "{hero} had {look.a} {look} {colour} {thing} . One {time} , {hero.he} (2:took|brought) it "
            "{place.to} .",
            "{hero} 有 一 {thing.mw} {look} {colour} {thing} 。 {time} ， {hero.他} (2:带着|拿着) 它 "
            "(去 了|来到) {place} 。",
        ),
    ),
    (
        Line(
            "On the way home , {hero.he} (2:found|saw) that the {thing} was (2:gone|lost) .",
            "回家 (2:的|) 路上 ， {hero.他} (2:发现|看到) {thing} (2:不见|丢) 了 。",
        ),
        Line(
            "{hero.He} (2:played|had fun) with {friend} there and (2:forgot|left) the {thing} .",
            "{hero.他} (2:和|跟) {friend} 在 那里 (2:玩|玩耍) ， (2:忘 了|忘记) 拿 {thing} 。",
        ),
    ),
    (
        Line(
            "{hero.He} looked (for it|) everywhere but (2:could|did) not find it .",
            "{hero.他} (2:到处|四处) 找 ， (2:可是|但是) (2:没有|没) 找到 。",
        ),
        Line(
            "{hero.He} was (2:very|so) sad because {hero.he} (2:loved|liked) (that|the) {thing} .",
            "{hero.他} (2:很|非常) (难过|伤心) ， 因为 {hero.他} (2:很|非常) 喜欢 那 {thing.mw} {thing} 。",
        ),
        Line(
            '" ~What colour is the {thing} ? ~" asked {friend} . " ~It is {colour} , ~" '
            "(2:said|answered) {hero} .",
            "“ {thing} 是 什么 颜色 的 ？ ” {friend} (2:问|问道) 。 “ {colour} 的 。 ” {hero} "
            "(2:说|答道) 。",
        ),
    ),
    (
        Line(
            "(2:In the end|At last|Later) , {friend} (2:found|saw) the {colour} {thing} {spot} .",
            "(2:最后|后来) ， {friend} 在 {spot} (2:找到|发现) 了 那 {thing.mw} {colour} {thing} 。",
            weight=3,
        ),
        Line(
            "{friend} came to help , and the {colour} {thing} was {spot} !",
            "{friend} (2:来|过来) 帮忙 ， (2:原来|结果) 那 {thing.mw} {colour} {thing} (|就) 在 {spot} ！",
        ),
    ),
    (
        Line(
            "{hero} (2:smiled|laughed) and (2:thanked|said thank you to) {friend} .",
            "{hero} 笑 了 ， 对 {friend} 说 ： “ (谢谢|2:谢谢 你) ！ ”",
        ),
        Line(
            "{hero} was (2:happy|glad) again .",
            "{hero} 又 (2:高兴|开心|快乐) 起来 了 。",
        ),
        Line(
            "{hero} gave {friend} {food.some} to thank {friend.him} .",
            "{hero} (2:送给|给 了) {friend} 一 {food.mw} {food} ， (2:谢谢|感谢) {friend.他} 。",
        ),
    ),
)

# The weather decides what is taken along, lent and given back.
LOAN: Plot = (
    (
        Line(
            "{weather.Clause} when {hero} went {place.to} , so {hero.he} (2:took|brought) "
            "{colour.a} {colour} {weather.item} .",
            "{hero} 去 {place} (2:的 时候|时) ， {weather} ， (2:所以|于是) {hero.他} (2:带|拿) 了 "
            "一 {weather.mw} {colour} {weather.item} 。",
        ),
    ),
    (
        Line(
            "On the (2:way|road) , {hero.he} (2:met|saw) {friend} , who had no {weather.item} .",
            "(2:路上|半路上) ， {hero.他} (2:遇见|碰到|看到) 了 (2:没有|没) 带 {weather.item} 的 "
            "{friend} 。",
        ),
    ),
    (
        Line(
            '" ~You can (2:use|have) my {weather.item} , ~" said {hero} .',
            "“ 你 (2:用|拿) 我 的 {weather.item} 吧 。 ” {hero} (2:说|说道) 。",
        ),
        Line(
            "{hero} (2:gave|lent) {friend.him} the {weather.item} and (2:ran|walked) home .",
            "{hero} 把 {weather.item} (2:借给|给) 了 {friend.他} ， 自己 (2:回家|走) 了 。",
        ),
    ),
    (
        Line(
            "On {weekday} , {friend} (2:brought|gave) the {colour} {weather.item} back with "
            "{food.some} .",
            "{weekday} ， {friend} 把 {colour} {weather.item} (2:还|送) 了 回来 ， "
            "还 (2:带来|送来) 了 一 {food.mw} {food} 。",
        ),
    ),
    (
        Line(
            "They (2:ate|shared) the {food} together .",
            "(2:两个人|大家) 一起 (2:吃|分享) 了 {food} 。",
        ),
        Line(
            "They became (2:good|best) friends .",
            "(2:从此|后来) ， 两个人 成 了 (2:好|最 好 的) 朋友 。",
        ),
        Line(
            "(2:After that|Later) , they went {place.to} together every {weekday} .",
            "(2:从此|后来) ， 两个人 每个 {weekday} (2:都|总是) 一起 去 {place} 。",
        ),
    ),
)

# What somebody likes decides the present; the weekday comes back.
GIFT: Plot = (
    (
        Line(
            "{hero} ~'s birthday was on {weekday} , and {friend} (2:wanted|planned) to give {hero.him} "
            "a (2:present|gift) .",
            "{hero} 的 生日 (2:是|在) {weekday} ， {friend} (2:想|打算) 送 {hero.他} 一 (2:件|份) 礼物 。",
        ),
    ),
    (
        Line(
            "{friend} knew that {hero} (2:loved|liked) {hobby} .",
            "{friend} 知道 {hero} (2:喜欢|爱) {hobby} 。",
        ),
        Line(
            '" ~I (2:love|like) {hobby} best , ~" {hero} had said .',
            "“ 我 最 (2:喜欢|爱) {hobby} 。 ” {hero} (2:说过|曾经 说) 。",
        ),
    ),
    (
        Line(
            "So {friend.he} (2:bought|chose) {look.a} {look} {colour} {hobby.gift} {shop} .",
            "(2:所以|于是) ， {friend.他} 在 {shop} (2:买|挑) 了 一 {hobby.mw} {look} {colour} "
            "{hobby.gift} 。",
        ),
    ),
    (
        Line(
            "On {weekday} , {hero} opened the box and (2:saw|found) the {colour} {hobby.gift} .",
            "(2:到 了|) {weekday} ， {hero} (2:打开|拆开) 盒子 ， (2:看到|看见) 了 那 {hobby.mw} "
            "{colour} {hobby.gift} 。",
        ),
    ),
    (
        Line(
            "They (2:had|ate) {food.some} and {pastime} together .",
            "两个人 (2:一起|) 吃 了 一 {food.mw} {food} ， (2:还|又) {pastime} 。",
        ),
        Line(
            '" ~Thank you , {friend} ! ~" (2:said|cried) {hero} .',
            "“ (2:谢谢 你|谢谢) ， {friend} ！ ” {hero} (2:说|说道) 。",
        ),
        Line(
            "{hero} (2:smiled|laughed) and (2:thanked|said thank you to) {friend} .",
            "{hero} 笑 了 ， 对 {friend} 说 ： “ (谢谢|2:谢谢 你) ！ ”",
        ),
    ),
)

# The vehicle decides where one arrives; the city comes back.
VISIT: Plot = (
    (
        Line(
            "{hero} ~'s {relative} lived in {city} .",
            "{hero} 的 {relative} (2:住|家) 在 {city} 。",
        ),
    ),
    (
        Line(
            "One {time} , {hero} went to (2:see|visit) {relative.him} by {vehicle} .",
            "{time} ， {hero} (2:坐|乘) {vehicle} 去 (2:看|看望) {relative.他} 。",
        ),
        Line(
            "On {weekday} , {hero.he} (2:went|travelled) there by {vehicle} .",
            "{weekday} ， {hero.他} (2:坐|乘) {vehicle} (2:去|到) 那里 。",
        ),
    ),
    (
        Line(
            "The (2:way|road) was (|very) long , so {hero.he} {pastime} on the {vehicle} .",
            "路 (2:很|非常) 远 ， (2:所以|于是) {hero.他} 在 {vehicle} 上 {pastime} 。",
        ),
    ),
    (
        Line(
            "{hero.His} {relative} (2:was waiting|waited) at the {vehicle.stop} with {food.some} .",
            "{hero.他} (2:的|) {relative} (2:带着|拿着) 一 {food.mw} {food} 在 {vehicle.stop} "
            "(2:等|等着) {hero.他} 。",
        ),
    ),
    (
        Line(
            '" ~Welcome to {city} , {hero} ! ~" (2:said|cried) {hero.his} {relative} .',
            "“ {hero} ， 欢迎 (2:来到|来) {city} ！ ” {hero.他} (2:的|) {relative} (2:说|说道) 。",
        ),
        Line(
            "{hero} ate the {food} and (2:thanked|said thank you to) {relative.him} .",
            "{hero} 吃 了 {food} ， (2:谢谢|感谢) 了 {relative.他} 。",
        ),
        Line(
            "They ate the {food} and went {place.to} together .",
            "两个人 吃 了 {food} ， (2:一起|又) 去 了 {place} 。",
            weight=2,
        ),
    ),
)
